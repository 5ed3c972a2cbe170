"""Names that the user gives to classes, in place of the values in the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from engine.data.class_labels import with_class_names
from engine.data.raw import RawData, class_names
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.classes.labels import labels_of, named_column, names_in
from engine.text.columns import is_list

_SHOWN = 8


def with_named_classes(raw: RawData, label: str, names: Mapping[str, str]) -> RawData:
    """Return the data with classes renamed: ``names`` has the new name by the value in the data.

    Lists of labels are renamed as well. Raises :class:`DataError` for a value that the training
    rows lack, and for one name of two classes.
    """
    if not names:
        return raw
    _check(_classes(raw.train, label), label, names)
    splits = {
        split: _renamed(table, label, names) if label in table.column_names else table
        for split, table in raw.splits.items()
    }
    return raw.with_splits(splits)


def _classes(table: pa.Table, label: str) -> Sequence[str]:
    if (noted := class_names(table, label)) is not None:
        return noted
    if is_list(table, label):
        found = {name for one in labels_of(table, label) for name in names_in(one)}
    else:
        found = set(named_column(table, label).unique().drop_null().to_pylist())
    return sorted(found)


def _check(classes: Sequence[str], label: str, names: Mapping[str, str]) -> None:
    if strange := [value for value in names if value not in classes]:
        shown = ", ".join(plain(name, 30) for name in classes[:_SHOWN])
        more = ", …" * (len(classes) > _SHOWN)
        raise DataError(
            f"task.class_names names {plain(strange[0], 40)!r}, which is not a class in the column "
            f"{plain(label, 40)}.",
            f"Its classes are {shown}{more}.",
        )
    renamed = [names.get(name, name) for name in classes]
    twice = next((name for name in renamed if renamed.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            f"task.class_names gives two classes the name {plain(twice, 40)!r}.",
            "Give each a name of its own.",
        )


def _renamed(table: pa.Table, label: str, names: Mapping[str, str]) -> pa.Table:
    noted = class_names(table, label)
    if noted is not None:
        return with_class_names(table, label, [names.get(name, name) for name in noted])
    if is_list(table, label):
        kind = pa.list_(pa.string())
        column = pa.chunked_array([pa.array(_renamed_lists(table, label, names), kind)])
    else:
        column = _renamed_texts(named_column(table, label), names)
    return table.set_column(table.column_names.index(label), label, column)


def _renamed_lists(
    table: pa.Table, label: str, names: Mapping[str, str]
) -> Sequence[list[str] | None]:
    return [
        None if one is None else [names.get(name, name) for name in names_in(one)]
        for one in labels_of(table, label)
    ]


def _renamed_texts(column: pa.ChunkedArray, names: Mapping[str, str]) -> pa.ChunkedArray:
    parts = []
    for encoded in (chunk.dictionary_encode() for chunk in column.chunks):
        known = encoded.dictionary.to_pylist()
        renamed = pa.array([name and names.get(name, name) for name in known], pa.string())
        parts.append(renamed.take(encoded.indices))
    return pa.chunked_array(parts, pa.string())
