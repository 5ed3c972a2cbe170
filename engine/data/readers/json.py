"""JSON: the table in a document, or in lines of objects."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.readers.annotations import annotated_records
from engine.data.readers.reading import INCOMPLETE, Reading, ReadOptions, read_text, unique_names
from engine.data.readers.records import MOST_LEVELS, table_of_columns, table_of_records
from engine.data.readers.squad import is_squad, squad_table
from engine.data.readers.turns import are_turns, type_holds_objects
from engine.errors import DataError
from engine.files import safe_json
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Kind, Note

_SPLITS = {
    TRAIN: ("train", "training"),
    VALIDATION: ("validation", "valid", "val", "dev"),
    TEST: ("test", "testing"),
}
_CORRECT = "Correct it there: names and texts stand in double quotes, with commas between."
_BEGINNING = 1 << 16
"""Characters among which a file of lines has its first questions, if it has some on texts."""
_ROWS = ("data", "rows", "records", "items", "examples", "instances", "samples")
"""Usual names of the list of rows in an object."""
_NUMBER = "number"
_MESSAGES = "messages"
"""The column of rows that are conversations without a name."""


@dataclass(frozen=True)
class _Tables:
    """Makes tables of the content of a document."""

    path: Path
    options: ReadOptions
    """By them numbers and truth values of cells are texts; those within a cell keep their types."""
    types: dict[str, Counter[str]] = field(default_factory=dict)
    """Cells of each column by the type that JSON has for them, missing ones left out."""

    def records(self, rows: Iterable[Any]) -> pa.Table:
        """Return a table of objects."""
        return table_of_records(self.path, map(self._row, rows))

    def columns(self, columns: Mapping[str, Iterable[Any]]) -> pa.Table:
        """Return a table of lists."""
        cells = {n: [self._cell(n, value) for value in values] for n, values in columns.items()}
        return table_of_columns(self.path, cells)

    def rows(self, names: Any, rows: Sequence[Sequence[Any]]) -> pa.Table:
        """Return a table of rows of cells, whose columns may share a name.

        Raises :class:`DataError` that names the row.
        """
        if not isinstance(names, list):
            raise DataError(f"{plain(self.path.name)}: columns is not a list of names.")
        for number, row in enumerate(rows, 1):
            if len(row) != len(names):
                found = f"{counted(len(row), 'cell')} instead of {len(names):,}"
                raise DataError(f"{plain(self.path.name)}, row {number:,}: {found}.")
        written = list(map(str, names))
        cells = {
            unique: [self._cell(name, row[place]) for row in rows]
            for place, (unique, name) in enumerate(zip(unique_names(written), written, strict=True))
        }
        return table_of_columns(self.path, cells).rename_columns(written)

    def values(self, content: Any, level: int = 0) -> Any:
        """Return content whose numbers are numbers. Raises :class:`DataError` for many levels."""
        if level > MOST_LEVELS:
            raise DataError(
                f"{plain(self.path.name)}: values are nested more than {MOST_LEVELS} levels deep."
            )
        if isinstance(content, dict):
            return {name: self.values(part, level + 1) for name, part in content.items()}
        if isinstance(content, list):
            return [self.values(part, level + 1) for part in content]
        return json.loads(content) if isinstance(content, safe_json.Numeral) else content

    def _row(self, row: Any) -> Any:
        if are_turns(row):
            return {_MESSAGES: self.values(row)}
        if not isinstance(row, dict):
            return self.values(row)
        return {name: self._cell(name, value) for name, value in row.items()}

    def _cell(self, column: Any, value: Any) -> Any:
        if value is not None:
            self.types.setdefault(str(column), Counter())[_type_of(value)] += 1
        if not self.options.keeps(str(column)):
            return self.values(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, safe_json.Numeral) else self.values(value)

    def with_notes(self, reading: Reading) -> Reading:
        """Return a reading with a note on each column whose cells have several types.

        Columns of numbers that are kept as they are written are named.
        """
        numbers = frozenset(
            name
            for name, types in self.types.items()
            if [*types] == [_NUMBER] and pa.types.is_string(_type_in(reading.table, name))
        )
        reading = replace(reading, numbers=numbers)
        found = tuple(
            Note(
                f"cells of several types: {', '.join(counted(n, t) for t, n in types.items())}",
                column=plain(name, 60), read_as="as written", rows=types.total(), kind="converted",
            )
            for name, types in self.types.items()
            if len(types) > 1 and pa.types.is_string(_type_in(reading.table, name))
        )  # fmt: skip
        return replace(reading, notes=(*reading.notes, *found)) if found else reading


def _type_in(table: pa.Table, name: str) -> pa.DataType:
    """Return the type of a column; null where it is in another split."""
    places = table.schema.get_all_field_indices(name)
    return table.schema.field(places[0]).type if places else pa.null()


def _type_of(value: Any) -> str:
    """Return the type of a cell as JSON has it."""
    if isinstance(value, bool):
        return "truth value"
    if isinstance(value, list | dict):
        return "list" if isinstance(value, list) else "object"
    number = isinstance(value, safe_json.Numeral | int | float)
    return _NUMBER if number else "text"


def read_json(path: Path, options: ReadOptions) -> Reading:
    """Read a document: a list of objects, columns, or an object that holds one of them.

    Raises :class:`DataError`.
    """
    text = read_text(path, options.encoding)
    try:
        content = safe_json.loads(text, numerals=options.spelled)
    except ValueError as error:
        if text.lstrip().startswith("{") and "\n" in text.strip():
            return read_json_lines(path, options)
        problem = f"{plain(path.name)} is not JSON: {plain(error)}."
        raise DataError(problem, _remedy(text, error)) from error
    tables = _Tables(path, options)
    return tables.with_notes(_reading_of(tables, content))


def _reading_of(tables: _Tables, content: Any) -> Reading:
    if is_squad(content):
        return Reading(squad_table(tables.path, tables.values(content)))
    if (annotated := annotated_records(tables.path, content)) is not None:
        records, notes = annotated
        return Reading(tables.records(records), tuple(notes))
    table = _table_of(tables, content)
    if table is not None:
        return Reading(table)
    if isinstance(content, dict):
        return _reading_of_parts(tables, content)
    raise _no_table(tables.path)


def _table_of(tables: _Tables, content: Any) -> pa.Table | None:
    """Return the table that ``content`` is, in a form of its own or one that pandas writes."""
    if isinstance(content, list):
        return tables.records(content)
    if not isinstance(content, dict) or not content:
        return None
    parts = list(content.values())
    if content.keys() >= {"columns", "data"} and _all(content["data"], list):
        return tables.rows(content["columns"], content["data"])
    if content.keys() == {"schema", "data"} and _all(content["data"], dict):
        key = content["schema"].get("primaryKey") if isinstance(content["schema"], dict) else None
        table = tables.records(content["data"])
        # The numbers of the rows, which pandas keeps beside them.
        numbered = key == ["index"] and "index" in table.column_names
        return table.drop_columns(["index"]) if numbered else table
    if all(isinstance(part, list) for part in parts) and len({len(part) for part in parts}) == 1:
        return None if all(_all(part, dict) for part in parts) else tables.columns(content)
    if _all(parts, dict):
        if all(map(str.isdecimal, content)):
            return tables.records(parts)
        numbers = list(parts[0])
        if all(map(str.isdecimal, numbers)) and all(list(part) == numbers for part in parts):
            columns = {name: list(part.values()) for name, part in content.items()}
            return tables.columns(columns)
    return None


def _reading_of_parts(tables: _Tables, content: Mapping[str, Any]) -> Reading:
    """Read the parts of an object that are tables: its splits, else the one with the rows."""
    parts = {name: part for name, part in content.items() if _all(part, dict) or _is_columns(part)}
    if not parts:
        raise _no_table(tables.path)
    splits = {split_named(name): name for name in parts if split_named(name)}
    others = [name for name in parts if not split_named(name)]
    if TRAIN not in splits and others:
        splits[TRAIN] = next(
            (name for name in _ROWS if name in others), max(others, key=lambda n: len(parts[n]))
        )
    if TRAIN not in splits:
        raise DataError(
            f"{plain(tables.path.name)} has no training rows.", "Call a list train or data."
        )
    read = {split: _part(tables, name, parts[name]) for split, name in splits.items()}
    left = [name for name in parts if name not in splits.values()]
    notes: tuple[Note, ...] = ()
    if left or len(splits) > 1:
        taken = ", ".join(f"{plain(name, 40)} for {split}" for split, name in splits.items())
        unused = f"; not used: {', '.join(plain(name, 40) for name in left)}" if left else ""
        kind: Kind = "dropped" if left else "converted"
        notes = (Note(f"{plain(tables.path.name)}: read {taken}{unused}", kind=kind),)
    return Reading(read.pop(TRAIN), notes, splits=read)


def _part(tables: _Tables, name: str, content: Any) -> pa.Table:
    table = _table_of(tables, content)
    if table is None:
        raise DataError(
            f"{plain(tables.path.name)}: {plain(name, 40)} is not a table:",
            "its columns should have equally many values.",
        )
    return table


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
            content = safe_json.loads(text, numerals=options.spelled)
            tables = _Tables(path, options)
            return tables.with_notes(_reading_of(tables, content))
    if '"qas"' in text[:_BEGINNING]:
        lines = list(_json_lines(path, text, ReadOptions()))
        if is_squad(lines):
            return Reading(squad_table(path, lines))
    if not _is_deep(text):
        with contextlib.suppress(pa.ArrowException):  # its message has the wrong row
            table = _arrow_table(text)
            if not any(_loses(field, options) for field in table.schema):
                return Reading(table)
    tables = _Tables(path, options)
    return tables.with_notes(Reading(tables.records(_json_lines(path, text, options))))


def _loses(field: pa.Field, options: ReadOptions) -> bool:
    """Return whether values of this type lose what is written, as numbers in several spellings."""
    spelled = pa.types.is_floating(field.type) or pa.types.is_boolean(field.type)
    return bool(spelled and options.keeps(field.name)) or type_holds_objects(field.type)


def _arrow_table(text: str) -> pa.Table:
    # One block, since types are inferred from the first block alone.
    block = pa.json.ReadOptions(block_size=min(len(text) * 4 + 16, 2**31 - 1))
    data = text.encode()
    table = pa.json.read_json(pa.BufferReader(data), read_options=block)
    table.validate(full=True)  # Arrow 26 loses nulls before the first value of a list
    written = [(field.name, _as_written(field.type)) for field in table.schema]
    changed = [(name, kind) for name, kind in written if kind != table.schema.field(name).type]
    if not changed:
        return table
    # Arrow takes texts that look like dates for dates, and loses how they were spelled.
    options = pa.json.ParseOptions(explicit_schema=pa.schema(changed))
    again = pa.json.read_json(pa.BufferReader(data), read_options=block, parse_options=options)
    again.validate(full=True)
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


def _json_lines(path: Path, text: str, options: ReadOptions) -> Iterable[Any]:
    lines = text.split("\n")
    for row, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield safe_json.loads(line, numerals=options.spelled)
            except ValueError as error:
                problem = f"{plain(path.name)}, row {row}: not JSON: {plain(error)}."
                last = row == len(lines)
                remedy = f"It is the last row. {INCOMPLETE}" if last else _CORRECT
                raise DataError(problem, remedy) from error


def _remedy(text: str, error: ValueError) -> str:
    """The remedy for a document that cannot be read: it may end too early."""
    if not isinstance(error, json.JSONDecodeError):
        return _CORRECT
    ends = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
    return INCOMPLETE if ends else _CORRECT
