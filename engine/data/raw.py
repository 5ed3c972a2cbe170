"""Data as it was read: Arrow tables, one a split, before a task makes sense of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.fitted import FileFormat
from engine.files import safe_json
from engine.reports.note import Note

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_DECIMAL_MARK = b"decimal mark"
_OTHER_FORMAT = b"other format"
_NESTED = 4
"""Levels at which the note of ``datasets`` may have the class of an object."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Rows that were left out for one reason."""

    reason: str
    count: int
    example: str = ""
    """Row, file or column of the first of them."""


@dataclass(frozen=True, slots=True)
class RowsOfFile:
    """A file and the number of rows that were read from it."""

    path: Path
    rows: int


def files_of(files: Sequence[RowsOfFile], chosen: NDArray[np.bool_]) -> tuple[RowsOfFile, ...]:
    """Return the number of rows of each file that are among the chosen ones."""
    ends = np.cumsum([0, *(file.rows for file in files)])
    return tuple(
        RowsOfFile(file.path, int(chosen[begin : begin + file.rows].sum()))
        for file, begin in zip(files, ends, strict=False)
    )


@dataclass(frozen=True)
class RawData:
    """The splits of a data set; ``train`` is always there.

    Images are columns of ``struct<bytes: binary, path: string>`` as ``datasets`` keeps them.
    """

    splits: Mapping[str, pa.Table]
    notes: tuple[Note, ...] = ()
    """Notes for the user: splits that were made, columns that were renamed."""
    skips: tuple[Skip, ...] = field(default=())
    files: Mapping[str, tuple[RowsOfFile, ...]] = field(default_factory=dict)
    """By split, the files that the rows were read from, in order; empty for other rows."""
    file_format: FileFormat | None = None
    """Format of the first training file, if it is a CSV file."""

    @property
    def train(self) -> pa.Table:
        """The training rows."""
        return self.splits[TRAIN]

    @property
    def decisive(self) -> pa.Table | None:
        """The split that decides on the result: test, or else validation; ``None`` without rows."""
        tables = map(self.splits.get, (TEST, VALIDATION))
        return next((table for table in tables if table is not None and table.num_rows), None)

    def with_splits(self, splits: Mapping[str, pa.Table], *notes: Note) -> RawData:
        """The same with other splits and more notes."""
        return replace(self, splits=splits, notes=(*self.notes, *notes), files={})

    def with_skips(self, *skips: Skip) -> RawData:
        """The same with more rows reported as left out."""
        return replace(self, skips=(*self.skips, *skips))


def with_decimal_mark(table: pa.Table, mark: str) -> pa.Table:
    """Note the decimal mark of the file that a table was read from in its schema."""
    metadata = table.schema.metadata or {}
    return table.replace_schema_metadata(metadata | {_DECIMAL_MARK: mark.encode()})


def decimal_mark_of(table: pa.Table) -> str:
    """Return the decimal mark of the file that a table was read from; empty where unknown."""
    metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
    return metadata.get(_DECIMAL_MARK, b"").decode()


def with_other_format(table: pa.Table) -> pa.Table:
    """Note in a table's schema that its file has another format than the training file."""
    metadata = table.schema.metadata or {}
    return table.replace_schema_metadata(metadata | {_OTHER_FORMAT: b"yes"})


def has_other_format(table: pa.Table) -> bool:
    """Return whether the file that a table was read from has another format than training's."""
    return _OTHER_FORMAT in (table.schema.metadata or {})


def class_names(table: pa.Table, column: str) -> list[str] | None:
    """Names of an integer label's classes, where ``datasets`` noted them in the schema.

    Of a column with lists of labels, those of the items: ``datasets`` notes such a list as a
    ``Sequence``, a ``List`` or, in older files, a list with one item.
    """
    feature = _features(table).get(column, {})
    if isinstance(feature, dict) and "feature" in feature:
        feature = feature["feature"]
    if isinstance(feature, list) and len(feature) == 1:
        feature = feature[0]
    if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
        names = feature.get("names")
        return [str(name) for name in names] if isinstance(names, list) else None
    return None


def nested_class_names(table: pa.Table, column: str, key: str) -> list[str] | None:
    """Return the names of the classes that a column of objects has numbers of under ``key``."""
    feature = _features(table).get(column, {})
    for _ in range(_NESTED):
        if isinstance(feature, list) and len(feature) == 1:
            feature = feature[0]
        elif isinstance(feature, dict) and key in feature:
            feature = feature[key]
        elif isinstance(feature, dict) and "feature" in feature:
            feature = feature["feature"]
    names = feature.get("names") if isinstance(feature, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else None


def _features(table: pa.Table) -> dict[str, Any]:
    noted = (table.schema.metadata or {}).get(b"huggingface")
    if noted is None:
        return {}
    try:
        features = safe_json.loads(noted)["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}
