"""Shared base of the pipelines of table tasks: columns, inputs, splits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from engine.config.data.columns import ColumnSetting, ColumnType
from engine.config.data.file import FileConfig
from engine.config.data.hub import HubConfig
from engine.config.models.tabm import TabmConfig
from engine.config.tasks.tabular import TabularConfig
from engine.data.column_names import check_names, no_column
from engine.data.column_roles import ColumnRoles, TargetKind
from engine.data.fitted import Fitted
from engine.data.load import load_data
from engine.data.lost_splits import lost
from engine.data.on_disk import evenly, selected
from engine.data.raw import TRAIN, RawData, Skip
from engine.data.row_choice import chosen_rows
from engine.data.splits import cut_splits
from engine.data.tables.bins import fit_edges
from engine.data.tables.column_notes import column_notes
from engine.data.tables.columns import detect_columns
from engine.data.tables.features import SCORED, fit_features, with_scores
from engine.data.tables.schema import Column, Features
from engine.data.tables.unfit import unfit_values
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.pipeline import DataPipeline
from engine.pipelines.table_sizes import automatic_sizes
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.note import Note

_TARGET_NAMES = ("target", "label", "class", "y")
_FIELDS: Mapping[str, ColumnType] = {
    "ignore": "ignored", "numeric": "numeric", "categorical": "categorical",
}  # fmt: skip
"""The types of columns that fields of the task name."""
LEARNED_ROWS = 1_000_000
"""Training rows, evenly spread, that types and scales of columns are fitted on at most."""
SCORED_ROWS = 100_000
"""Training rows, evenly spread, that scores of texts and ids are fitted on at most."""
BINNED_ROWS = 100_000
"""Training rows, evenly spread, that bins are cut on at most."""


class TabularFitted(Fitted):
    """Features fitted on the training rows."""

    target: str
    columns: list[Column]
    """All columns but the target, those that are left out too."""
    features: Features
    rows: int = 0
    """Training rows; 0 in models of 0.1, which did not need them."""
    edges: list[list[float]] = Field(default_factory=list)
    """Edges of the bins of each numeric feature, as it is encoded; empty where none are used."""


F = TypeVar("F", bound=TabularFitted)


class TabularPipeline(DataPipeline[F]):
    """Rows with a target; the kinds of target are for subclasses."""

    section: TabularConfig
    reads_texts = True
    target_kind: ClassVar[TargetKind]

    @override
    def learn(self, raw: RawData) -> F:
        """Return what :meth:`fit` learns, with the bins that the network asks for."""
        fitted = super().learn(raw)
        some = evenly(raw.train, SCORED_ROWS)
        features = with_scores(fitted.features, some, self.centred_targets(some, fitted))
        fitted = fitted.model_copy(update={"features": features})
        bins = self.config.model.bins if isinstance(self.config.model, TabmConfig) else 0
        edges = fit_edges(fitted.features, evenly(raw.train, BINNED_ROWS), bins)
        return fitted.model_copy(update={"rows": raw.train.num_rows, "edges": edges})

    @override
    def settled(self, fitted: F) -> list[str]:
        """The sizes of network and training that go by the rows and columns."""
        return list(automatic_sizes(self.config, fitted.rows, fitted.features))

    def inputs(self, fitted: F) -> tuple[str, ...]:
        """The columns that are used."""
        return tuple(column.name for column in fitted.features.columns)

    @override
    def unfit(self, table: pa.Table, fitted: F) -> Iterable[Note]:
        return unfit_values(fitted.features, table)

    @abstractmethod
    def centred_targets(self, table: pa.Table, fitted: F) -> Mapping[str, NDArray[np.float64]]:
        """Numbers of mean 0 about the targets of rows by name, for the scores of texts and ids."""

    @abstractmethod
    def clean_target(self, table: pa.Table, target: str) -> pa.ChunkedArray:
        """The target of each row, null where there is none that can be used."""

    def known_target(self, table: pa.Table, fitted: F) -> pa.ChunkedArray:
        """The target of each row of a later file, read as in training."""
        return self.clean_target(table, fitted.target)

    def target_notes(self, table: pa.Table, target: str) -> Iterator[Note]:
        """Yield notes on how the target of the training rows is read."""
        del table, target
        yield from ()

    def later_target_notes(self, table: pa.Table, target: str, split: str) -> Iterator[Note]:
        """Yield notes on the target of another split, which is read as in training."""
        del table, target, split
        yield from ()

    def read(self) -> RawData:
        """Read the data as it is."""
        return load_data(self.config.data)

    def load(self) -> RawData:
        """Read the data, take rows without a target out, and cut the splits that are missing."""
        raw = chosen_rows(self.read(), self.config.data)
        target = find_target(raw.train, self.section.target)
        self._check_names(raw.train)
        raw = self._with_clean_targets(raw, target)
        return cut_splits(raw, self.config.data, self.stratify_by(target))

    def stratify_by(self, target: str) -> str | None:
        """The column whose values keep their shares in every split."""
        del target
        return None

    def _check_names(self, table: pa.Table) -> None:
        for field, type in _FIELDS.items():
            names = getattr(self.section, field)
            check_names(f"task.{field}", names, table.column_names)
            for name in names:
                setting = self.config.data.column_settings.get(name)
                if setting is not None and setting.type != type:
                    raise DataError(
                        f"data.columns sets {plain(name, 60)!r} as {setting.type}, but it is in "
                        f"task.{field} too.",
                        "Take it out of one of them.",
                    )

    def _with_clean_targets(self, raw: RawData, target: str) -> RawData:
        """Splits whose target is clean; rows and whole splits without one are reported."""
        splits, skips = {}, []
        notes = list(self.target_notes(raw.train, target))
        for split, table in sorted(raw.splits.items(), key=lambda item: item[0] != TRAIN):
            if target not in table.column_names:
                why = f"{split} has no column {plain(target, 60)} and is left out"
                notes.append(lost(split, why, table.num_rows))
                continue
            if split != TRAIN:
                notes.extend(self.later_target_notes(table, target, split))
            values = self.clean_target(table, target)
            place = table.column_names.index(target)
            clean = table.set_column(place, target, values)
            if values.null_count == len(values):
                if split == TRAIN:
                    raise DataError(f"The target {plain(target, 60)!r} has no value in any row.")
                why = f"{split} has no value of {plain(target, 60)} and is left out"
                notes.append(lost(split, why, table.num_rows))
                continue
            if values.null_count:
                valid = values.is_valid().to_numpy()
                first = valid.argmin() + 1
                example = f"row {first:,} of {split}"
                skips.append(Skip(f"no usable {plain(target, 60)}", values.null_count, example))
                clean = selected(clean, valid)
            splits[split] = clean
        return raw.with_splits(splits, *notes).with_skips(*skips)

    def fit_inputs(self, raw: RawData) -> tuple[str, list[Column], Features]:
        """Target, columns, and how they become inputs; raises ``DataError`` when none can."""
        section = self.section
        target = find_target(raw.train, section.target)
        some = evenly(raw.train.drop_columns([target]), LEARNED_ROWS)
        apart = -(-raw.train.num_rows // LEARNED_ROWS)
        columns = detect_columns(some, self._settings(), apart)
        features = fit_features(some, columns, section.transform)
        if not features.columns:
            reasons = ", ".join(f"{plain(c.name, 40)} ({c.reason})" for c in columns[:5])
            raise DataError(
                f"No column is left to learn {plain(target, 60)!r} from: {reasons or 'only it'}.",
                "data.columns sets the types of columns that shall be used all the same.",
            )
        for split, table in raw.splits.items():
            _check_inputs(split, table, features)
        return target, columns, features

    @override
    def column_roles(self, raw: RawData) -> ColumnRoles:
        target, columns, features = self.fit_inputs(raw)
        inputs = tuple(column.name for column in features.columns)
        return ColumnRoles(inputs, target, self.target_kind, columns=tuple(columns))

    def _settings(self) -> dict[str, ColumnSetting]:
        """Return the settings of columns, of the data and of the task.

        Groups are left out unless they are set: those of test are none that the network knows.
        """
        group = self.config.data.group
        chosen = {group: ColumnSetting("ignored")} if group else {}
        chosen |= {
            name: ColumnSetting(type)
            for field, type in _FIELDS.items()
            for name in getattr(self.section, field)
        }
        return chosen | self.config.data.column_settings

    def summary(
        self,
        raw: RawData,
        fitted: F,
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
            source=self.config.data.label,
            rows={split: table.num_rows for split, table in raw.splits.items()},
            columns=(*columns, target),
            classes=classes,
            facts=_input_facts(fitted.features)
            | dict(facts)
            | _looked_at(raw.train.num_rows)
            | self._sizes(raw.train.num_rows, fitted.features),
            notes=(*raw.notes, *self._notes(raw, fitted, used)),
            skips=tuple(
                {"reason": skip.reason, "count": skip.count, "example": skip.example}
                for skip in raw.skips
            ),
        )

    def _sizes(self, rows: int, features: Features) -> dict[str, str]:
        """Return the fact of what fields that are left empty come to."""
        fields = (field.partition(".")[2] for field in automatic_sizes(self.config, rows, features))
        sizes = ", ".join(field.replace("=", " ").replace("_", " ") for field in fields)
        return {"by the data": sizes} if sizes else {}

    def _notes(self, raw: RawData, fitted: F, used: set[str]) -> Iterator[Note]:
        """Yield notes on columns that are converted or left out, and on values that do not fit."""
        some = evenly(raw.train, LEARNED_ROWS)
        yield from column_notes(fitted.columns, used, some, self._setting)
        for split, table in raw.splits.items():
            yield from unfit_values(fitted.features, table, split)

    def _setting(self, column: str, type: str) -> str:
        """Return the setting that gives a column another type."""
        if isinstance(self.config.data, FileConfig | HubConfig):
            return f"data.columns.{plain(column, 40)}={type}"
        return f"task.{type}"


def find_target(table: pa.Table, wanted: str) -> str:
    """The column to predict; raises :class:`DataError` when there is none of that name."""
    names: list[str] = table.column_names
    if not wanted:
        return next((n for n in names if n.lower() in _TARGET_NAMES), names[-1])
    if wanted not in names:
        raise DataError(no_column("task.target", wanted, names))
    return wanted


def _check_inputs(split: str, table: pa.Table, features: Features) -> None:
    """Raise :class:`DataError` for inputs that a split lacks."""
    missing = [c.name for c in features.columns if c.name not in table.column_names]
    if missing:
        known = ", ".join(plain(name, 40) for name in table.column_names[:12])
        raise DataError(
            f"{split} has no column {', '.join(plain(name, 40) for name in missing[:5])}, which "
            "the training rows have as input.",
            f"It has {known}. Add it there, or leave it out with "
            f"data.columns.{plain(missing[0], 40)}=ignored.",
        )


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
    facts = {"inputs": f"{len(numeric)} of numbers, {len(features.categorical)} of categories"}
    if scored:
        facts["inputs"] += f", {len(scored)} of texts or ids"
    if ranked:
        facts["scaled by rank"] = ", ".join(plain(name, 40) for name in sorted(ranked)[:8])
    return facts
