"""Splits that a column of the training rows names, such as ``split``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.config.data.base import DataConfig
from engine.data.on_disk import selected
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, files_of
from engine.data.readers.json import split_named
from engine.data.series.channels import is_text
from engine.files.sanitize import plain
from engine.reports.note import Note

_NAMES = ("split", "set", "subset", "part", "partition", "usage")
_MOST_VALUES = 20


def by_split_column(raw: RawData, config: DataConfig) -> RawData:
    """Return the data with the splits that a column names, and without this column.

    Splits in files of their own go before it, and so does a type that the user sets for it.
    """
    name = next((name for name in raw.train.column_names if name.lower() in _NAMES), None)
    if name is None or len(raw.splits) > 1 or name in config.columns:
        return raw
    rows = _rows_of_splits(raw.train[name])
    if not {TRAIN} < rows.keys():
        return raw
    table = raw.train.drop_columns([name])
    splits = {split: selected(table, mask) for split, mask in rows.items()}
    counts = ", ".join(f"{part.num_rows:,} for {split}" for split, part in splits.items())
    why = f"the splits are those in the column {plain(name, 40)}: {counts}"
    note = Note(why, plain(name, 40), "splits", change=f"data.columns.{plain(name, 40)}",
                kind="converted")  # fmt: skip
    files = raw.files.get(TRAIN, ())
    own = {split: files_of(files, mask) for split, mask in rows.items() if files}
    return replace(raw.with_splits(splits, note), files=own)


def _rows_of_splits(column: pa.ChunkedArray) -> dict[str, NDArray[np.bool_]]:
    """Return which rows are in each split; nothing if a value names none."""
    if not is_text(column.type) or len(values := pc.unique(column)) > _MOST_VALUES:
        return {}
    named = {value: split_named((value or "").strip()) for value in values.to_pylist()}
    if "" in named.values():
        return {}
    return {
        split: pc.is_in(
            column, pa.array([value for value, own in named.items() if own == split], column.type)
        ).to_numpy()
        for split in (TRAIN, VALIDATION, TEST)
        if split in named.values()
    }
