"""The summary of a table: what becomes of its columns, and what is said about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from engine.config.data.base import DataConfig
from engine.config.data.file import FileConfig
from engine.config.data.hub import HubConfig
from engine.config.run_config import RunConfig
from engine.data.on_disk import evenly
from engine.data.raw import RawData
from engine.data.tables.column_notes import column_notes
from engine.data.tables.features import SCORED
from engine.data.tables.schema import Features
from engine.data.tables.unfit import unfit_values
from engine.files.sanitize import plain
from engine.pipelines.tables.fitted import TabularFitted
from engine.pipelines.tables.inputs import LEARNED_ROWS
from engine.pipelines.tables.sizes import automatic_sizes
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.note import Note


def table_summary(
    config: RunConfig,
    raw: RawData,
    fitted: TabularFitted,
    target: ColumnSummary,
    facts: Mapping[str, str],
    classes: Mapping[str, int] | None = None,
) -> DataSummary:
    """Summarise the data for the user, with what the kind of target adds."""
    used = {column.name for column in fitted.features.columns}
    columns = [
        ColumnSummary(
            name=column.name,
            type=column.type if column.name in used or not column.usable else "ignored",
            role="input" if column.name in used
            else f"left out: {column.reason or 'always the same'}",
            missing=column.missing,
            distinct=column.distinct,
            example=column.example,
        )
        for column in fitted.columns
    ]  # fmt: skip
    return DataSummary(
        source=config.data.label,
        rows={split: table.num_rows for split, table in raw.splits.items()},
        columns=(*columns, target),
        classes=classes,
        facts=_input_facts(fitted.features)
        | dict(facts)
        | _looked_at(raw.train.num_rows)
        | _sizes(config, raw.train.num_rows, fitted.features),
        notes=(*raw.notes, *_notes(config.data, raw, fitted, used)),
        skips=tuple(
            {"reason": skip.reason, "count": skip.count, "example": skip.example}
            for skip in raw.skips
        ),
    )


def _sizes(config: RunConfig, rows: int, features: Features) -> dict[str, str]:
    """Return the fact of what fields that are left empty come to."""
    fields = (field.partition(".")[2] for field in automatic_sizes(config, rows, features))
    sizes = ", ".join(field.replace("=", " ").replace("_", " ") for field in fields)
    return {"by the data": sizes} if sizes else {}


def _notes(data: DataConfig, raw: RawData, fitted: TabularFitted, used: set[str]) -> Iterator[Note]:
    """Yield notes on columns that are converted or left out, and on values that do not fit."""
    some = evenly(raw.train, LEARNED_ROWS)
    yield from column_notes(fitted.columns, used, some, partial(_setting, data))
    for split, table in raw.splits.items():
        yield from unfit_values(fitted.features, table, split)


def _setting(data: DataConfig, column: str, type: str) -> str:
    """Return the setting that gives a column another type."""
    if isinstance(data, FileConfig | HubConfig):
        return f"data.columns.{plain(column, 40)}={type}"
    return f"task.{type}"


def _looked_at(rows: int) -> dict[str, str]:
    if rows <= LEARNED_ROWS:
        return {}
    apart = -(-rows // LEARNED_ROWS)
    return {"columns detected from": f"{-(-rows // apart):,} training rows, evenly spread"}


def _input_facts(features: Features) -> dict[str, str]:
    numeric = {feature.column for feature in features.numeric}
    ranked = {feature.column for feature in features.numeric if feature.knots}
    scored = [column for column in features.columns if column.type in SCORED]
    numeric -= {column.name for column in scored}
    facts = {"inputs": f"{len(numeric)} numeric, {len(features.categorical)} categorical"}
    if scored:
        facts["inputs"] += f", {len(scored)} texts or ids"
    if ranked:
        facts["scaled by rank"] = ", ".join(plain(name, 40) for name in sorted(ranked)[:8])
    return facts
