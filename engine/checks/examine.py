"""All checks of a data set, and their findings with the names of rows."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from engine.checks.classes import missing_labels, small_classes
from engine.checks.columns import constant_columns, identifiers
from engine.checks.drift import drift
from engine.checks.duplicates import contradictions, exact_duplicates
from engine.checks.examined import Check, Doubt, Examined, Limit, Places
from engine.checks.labels import wrong_labels
from engine.checks.leaks import leaks
from engine.checks.marked import Named, unmarked
from engine.checks.near_images import near_images
from engine.checks.near_texts import near_texts
from engine.checks.row_pictures import with_pictures
from engine.config.data.base import DataConfig
from engine.data.raw import RawData
from engine.data.row_choice import Trace, traced
from engine.data.series.splits import own_rows
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.pipeline import DataPipeline
from engine.reports.counted import counted
from engine.reports.findings import DataCheck, Finding, FoundRow, Mend

CHECKS: Mapping[str, Check] = {
    "duplicates": exact_duplicates,
    "leaks": leaks,
    "near duplicates of texts": near_texts,
    "near duplicates of images": near_images,
    "missing labels": missing_labels,
    "wrong labels": wrong_labels,
    "contradictions": contradictions,
    "drift": drift,
    "small classes": small_classes,
    "identifiers": identifiers,
    "constant columns": constant_columns,
}
"""By name, the most serious first."""
_SECONDS = 60.0
"""Time after which no further check begins."""
MOST_ROWS = 500
"""Rows of one finding that can be left out by name."""
_SHOWN = 12
_CELL = 40
_TEXT = 200


def examine(
    pipeline: DataPipeline[Any], seconds: float = _SECONDS, pictures: bool = False
) -> DataCheck:
    """Return all findings on the data of a pipeline; raises ``DataError``.

    With ``pictures``, the rows of findings have those of their images.
    """
    raw, trace = _loaded(pipeline)
    splits, numbers = {}, {}
    for split, table in raw.splits.items():
        splits[split], numbers[split] = trace.taken_off(table)
    data = Examined(splits, pipeline.column_roles(RawData(splits)))
    named = Named(trace, numbers)
    findings: list[Finding] = []
    limits: list[str] = []
    marked = pipeline.config.data.mark_rows
    if marked:
        limits.append(f"not named again: {counted(len(marked), 'row')} marked as right")
    end = time.monotonic() + seconds
    for name, check in CHECKS.items():
        if time.monotonic() > end:
            limits.append(
                f"{name} were not looked for: the time limit of {seconds:g} s was reached"
            )
            continue
        for found in check(data):
            if isinstance(found, Limit):
                limits.append(found.why)
            elif (doubt := unmarked(found, named, marked)) is not None:
                finding = _finding(doubt, data, named, pipeline.config.data)
                findings.append(with_pictures(finding, doubt, data) if pictures else finding)
    rows = {split: own_rows(table) for split, table in splits.items()}
    return DataCheck(pipeline.config.data.label, rows, tuple(findings), tuple(limits))


def _loaded(pipeline: DataPipeline[Any]) -> tuple[RawData, Trace]:
    """Return the data and where its rows came from, as far as a pipeline keeps it."""
    # The message of an error must not name the column that carries the numbers.
    with contextlib.suppress(DataError), traced() as trace:
        return pipeline.load(), trace
    return pipeline.load(), Trace()


def _finding(doubt: Doubt, data: Examined, named: Named, config: DataConfig) -> Finding:
    names: list[str] = []
    rows: list[FoundRow] = []
    for split, places in doubt.rows.items():
        names += named.names(split, places[: MOST_ROWS - len(names)])
        rows += _found_rows(doubt, split, places[: _SHOWN - len(rows)], data, named)
    return Finding(
        doubt.kind,
        doubt.why,
        plain(doubt.column, 60),
        doubt.count if doubt.rows else None,
        tuple(rows),
        tuple(_mends(doubt, data, names, config)),
    )


def _found_rows(
    doubt: Doubt, split: str, places: Places, data: Examined, named: Named
) -> Iterator[FoundRow]:
    names = named.names(split, places) or [""] * len(places)
    remarks = [*doubt.remarks.get(split, ())] or [
        f"like {_twin(twin, data, named)}" for twin in doubt.twins.get(split, ())[: len(places)]
    ]
    texts = _texts(data.splits[split], places)
    for place, (name, text) in enumerate(zip(names, texts, strict=True)):
        yield FoundRow(name, split, text, remarks[place] if remarks else "")


def _twin(twin: tuple[str, int], data: Examined, named: Named) -> str:
    split, place = twin
    name = "".join(named.names(split, np.array([place]))).rpartition(":")[0]
    return f"{name or split} {_texts(data.splits[split], np.array([place]))[0]}"


def _mends(doubt: Doubt, data: Examined, names: list[str], config: DataConfig) -> Iterator[Mend]:
    compared = data.compared
    others = [n for n in data.train.column_names if n not in compared and n not in config.columns]
    first = "" if len(names) == doubt.count else f" first {len(names):,}"
    for remedy in doubt.remedies:
        if remedy == "drop column":
            yield Mend("d", f"drop the column {plain(doubt.column, 40)}", (doubt.column,))
        elif remedy == "drop duplicates":
            yield Mend("d", "drop the duplicates", tuple(others), duplicates="drop")
        elif remedy == "move duplicates":
            yield Mend("I", "move them to training", tuple(others), duplicates="train")
        elif names:
            yield Mend("d", f"drop the{first} rows", rows=tuple(names))
    if names:
        yield Mend("Y", f"mark the{first} rows as right", marked=tuple(names))


def _texts(table: pa.Table, places: Places) -> list[str]:
    # Row by row: columns of images have chunks that cannot be put together.
    rows = [row for place in places.tolist() for row in table.slice(place, 1).to_pylist()]
    return [
        plain(", ".join(f"{name}={_cell(cell)}" for name, cell in row.items()), _TEXT)
        for row in rows
    ]


def _cell(cell: Any) -> str:
    if isinstance(cell, dict) and "path" in cell:
        return str(cell["path"] or "image").rpartition("/")[2]
    text = f"{cell:.6g}" if isinstance(cell, float) else str(cell)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"
