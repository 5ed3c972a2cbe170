"""JSON: the table in a document, or in lines of objects."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.readers.reading import Reading, ReadOptions, read_text
from engine.data.readers.records import MOST_LEVELS, table_of_columns, table_of_records
from engine.data.readers.squad import is_squad, squad_table
from engine.errors import DataError
from engine.files import safe_json
from engine.files.sanitize import plain

_SPLITS = {
    TRAIN: ("train", "training"),
    VALIDATION: ("validation", "valid", "val", "dev"),
    TEST: ("test", "testing"),
}
_ROWS = ("data", "rows", "records", "items", "examples", "instances", "samples")
"""Usual names of the list of rows in an object."""


def read_json(path: Path, options: ReadOptions) -> Reading:
    """Read a document: a list of objects, columns, or an object that holds one of them.

    Raises :class:`DataError`.
    """
    text = read_text(path, options.encoding)
    try:
        content = safe_json.loads(text)
    except ValueError as error:
        if text.lstrip().startswith("{") and "\n" in text.strip():
            return read_json_lines(path, options)
        raise DataError(f"{plain(path.name)} is not JSON: {plain(error)}.") from error
    return _reading_of(path, content)


def _reading_of(path: Path, content: Any) -> Reading:
    if is_squad(content):
        return Reading(squad_table(path, content))
    table = _table_of(path, content)
    if table is not None:
        return Reading(table)
    if isinstance(content, dict):
        return _reading_of_parts(path, content)
    raise _no_table(path)


def _table_of(path: Path, content: Any) -> pa.Table | None:
    """Return the table that ``content`` is, in a form of its own or one that pandas writes."""
    if isinstance(content, list):
        return table_of_records(path, content)
    if not isinstance(content, dict) or not content:
        return None
    parts = list(content.values())
    if content.keys() >= {"columns", "data"} and _all(content["data"], list):
        cells = zip(*content["data"], strict=True)
        return table_of_columns(path, dict(zip(content["columns"], map(list, cells), strict=True)))
    if content.keys() == {"schema", "data"} and _all(content["data"], dict):
        key = content["schema"].get("primaryKey") if isinstance(content["schema"], dict) else None
        table = table_of_records(path, content["data"])
        # The numbers of the rows, which pandas keeps beside them.
        return table.drop_columns(["index"]) if key == ["index"] else table
    if all(isinstance(part, list) for part in parts) and len({len(part) for part in parts}) == 1:
        return None if any(_all(part, dict) for part in parts) else table_of_columns(path, content)
    if _all(parts, dict):
        if all(map(str.isdecimal, content)):
            return table_of_records(path, parts)
        numbers = list(parts[0])
        if all(map(str.isdecimal, numbers)) and all(list(part) == numbers for part in parts):
            columns = {name: list(part.values()) for name, part in content.items()}
            return table_of_columns(path, columns)
    return None


def _reading_of_parts(path: Path, content: Mapping[str, Any]) -> Reading:
    """Read the parts of an object that are tables: its splits, else the one with the rows."""
    tables = {name: part for name, part in content.items() if _all(part, dict) or _is_columns(part)}
    if not tables:
        raise _no_table(path)
    splits = {split_named(name): name for name in tables if split_named(name)}
    others = [name for name in tables if not split_named(name)]
    if TRAIN not in splits and others:
        splits[TRAIN] = next(
            (name for name in _ROWS if name in others), max(others, key=lambda n: len(tables[n]))
        )
    if TRAIN not in splits:
        raise DataError(f"{plain(path.name)} has no training rows.", "Call a list train or data.")
    read = {split: _table_of(path, tables[name]) for split, name in splits.items()}
    left = [name for name in tables if name not in splits.values()]
    notes: tuple[str, ...] = ()
    if left or len(splits) > 1:
        taken = ", ".join(f"{plain(name, 40)} for {split}" for split, name in splits.items())
        unused = f"; not used: {', '.join(plain(name, 40) for name in left)}" if left else ""
        notes = (f"{plain(path.name)}: read {taken}{unused}",)
    return Reading(read.pop(TRAIN), notes, splits=read)


def split_named(name: str) -> str:
    """Return the split that a part of a document is called after; empty for any other name."""
    return next((split for split, names in _SPLITS.items() if name.lower() in names), "")


def _all(part: Any, kind: type) -> bool:
    return isinstance(part, list) and bool(part) and all(isinstance(item, kind) for item in part)


def _is_columns(part: Any) -> bool:
    return isinstance(part, dict) and bool(part) and all(isinstance(c, list) for c in part.values())


def _no_table(path: Path) -> DataError:
    return DataError(
        f"{plain(path.name)} holds no table:",
        "it should be a list of objects, or an object with a list for each column.",
    )


def read_json_lines(path: Path, options: ReadOptions) -> Reading:
    """Read an object a line; texts stay as written. Raises :class:`DataError`."""
    text = read_text(path, options.encoding)
    if not text.strip():
        raise DataError(f"{plain(path.name)} is empty.")
    if text.lstrip().startswith("["):
        with contextlib.suppress(ValueError):
            return _reading_of(path, safe_json.loads(text))
    if _is_deep(text):
        return Reading(table_of_records(path, _json_lines(path, text)))
    try:
        return Reading(_arrow_table(text))
    except pa.ArrowException:
        return Reading(
            table_of_records(path, _json_lines(path, text))
        )  # its message has the wrong row


def _arrow_table(text: str) -> pa.Table:
    # One block, since types are inferred from the first one alone.
    block = pa.json.ReadOptions(block_size=min(len(text) * 4 + 16, 2**31 - 1))
    data = text.encode()
    table = pa.json.read_json(pa.BufferReader(data), read_options=block)
    written = [(field.name, _as_written(field.type)) for field in table.schema]
    changed = [(name, kind) for name, kind in written if kind != table.schema.field(name).type]
    if not changed:
        return table
    # Arrow takes texts that look like dates for dates, and loses how they were spelled.
    options = pa.json.ParseOptions(explicit_schema=pa.schema(changed))
    again = pa.json.read_json(pa.BufferReader(data), read_options=block, parse_options=options)
    return again.select(table.column_names)


def _as_written(kind: pa.DataType) -> pa.DataType:
    """Return a type with text in place of dates."""
    if pa.types.is_temporal(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_as_written(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _as_written(field.type)) for field in kind])
    return kind


def _is_deep(text: str) -> bool:
    """Whether a line may be nested so deeply that Arrow's reader, which recurses, would crash."""
    if text.count("{") + text.count("[") <= MOST_LEVELS:
        return False
    return any(line.count("{") + line.count("[") > MOST_LEVELS for line in text.split("\n"))


def _json_lines(path: Path, text: str) -> Iterable[Any]:
    for row, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield safe_json.loads(line)
            except ValueError as error:
                raise DataError(
                    f"{plain(path.name)}, row {row}: not JSON: {plain(error)}."
                ) from error
