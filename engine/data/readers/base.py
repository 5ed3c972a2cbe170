"""Files to Arrow tables: a small table of readers by suffix.

Adding a format: a function of this module's :data:`Reader` type and a line in :data:`READERS`.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from engine.data.on_disk import LARGE, WINDOW, mapped
from engine.data.raw import Skip
from engine.data.readers.conll import read_conll
from engine.data.readers.spans import span_column
from engine.data.readers.squad import is_squad, squad_table
from engine.errors import DataError
from engine.files import safe_json
from engine.files.sanitize import plain

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MOST_LEVELS = 100
"""Levels to which values may be nested."""
_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The user's options for reading a file."""

    delimiter: str = ""
    """Of a CSV; empty finds it."""
    header: str = "auto"
    """``auto``, ``yes`` or ``no``."""
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Reading:
    """A file's table, and notes for the user on how it was read."""

    table: pa.Table
    notes: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()


Reader = Callable[[Path, ReadOptions], Reading]


def read_file(path: Path, options: ReadOptions, format: str = "") -> Reading:
    """Read one file by ``format`` or its suffix. Raises :class:`DataError` that names the file."""
    reader = READERS.get(f".{format.lstrip('.').lower()}" if format else suffix_of(path))
    if reader is None:
        known = ", ".join(suffix[1:] for suffix in READERS)
        what = f"format {plain(format, 20)!r}" if format else f"file {plain(path.name)}"
        raise DataError(f"There is no way to read the {what}.", f"data.format can be {known}.")
    try:
        reading = reader(path, options)
    except OSError as error:
        raise DataError(f"Cannot read {plain(path)}: {error.strerror or error}.") from error
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{plain(path)} is a damaged archive: {plain(error)}.") from error
    return _with_good_names(path, reading)


def suffix_of(path: Path) -> str:
    """Return the suffix of the format: ``.csv`` of ``rows.csv.gz``."""
    name = path.name.lower()
    for packed in _UNPACK:
        name = name.removesuffix(packed)
    return Path(name).suffix


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked."""
    data = path.read_bytes()
    unpack = _UNPACK.get(path.suffix.lower())
    return data if unpack is None else unpack(data)


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """A text file, its byte order mark heeded and taken off.

    Raises :class:`DataError` that names the row and the byte that cannot be decoded.
    """
    data = read_bytes(path)
    for mark, marked in _BOMS.items():
        if data.startswith(mark):
            encoding = marked
            break
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{plain(path.name)}, row {row}: byte 0x{data[error.start]:02X} "
            f"(number {error.start + 1:,}) is not {encoding.upper()}.",
            "Save the file as UTF-8, or set data.encoding (often latin-1 or cp1252).",
        ) from error
    except (LookupError, ValueError) as error:
        raise DataError(f"data.encoding: there is no encoding {plain(encoding, 40)!r}.") from error


def _read_parquet(path: Path, options: ReadOptions) -> Reading:
    del options
    try:
        with pa.parquet.ParquetFile(path, memory_map=True) as file:
            groups = range(file.num_row_groups)
            if sum(file.metadata.row_group(i).total_byte_size for i in groups) < LARGE:
                return Reading(file.read())
            return Reading(mapped(file.iter_batches(WINDOW), file.schema_arrow))
    except pa.ArrowException as error:
        raise DataError(f"{plain(path)} is not a readable Parquet file: {plain(error)}.") from error


def _read_arrow(path: Path, options: ReadOptions) -> Reading:
    del options
    try:
        with pa.memory_map(str(path)) as file:
            try:
                return Reading(pa.ipc.open_file(file).read_all())
            except pa.ArrowInvalid:
                file.seek(0)
                return Reading(pa.ipc.open_stream(file).read_all())
    except pa.ArrowException as error:
        raise DataError(f"{plain(path)} is not a readable Arrow file: {plain(error)}.") from error


def _read_json(path: Path, options: ReadOptions) -> Reading:
    """A list of objects, an object of lists, or the first such thing inside an object."""
    text = read_text(path, options.encoding)
    try:
        content = safe_json.loads(text)
    except ValueError as error:
        if text.lstrip().startswith("{") and "\n" in text.strip():
            return _read_json_lines(path, options)
        raise DataError(f"{plain(path.name)} is not JSON: {plain(error)}.") from error
    if is_squad(content):
        return Reading(squad_table(path, content))
    return Reading(_table_of_json(path, content))


def _table_of_json(path: Path, content: Any) -> pa.Table:
    if isinstance(content, list):
        return table_of_records(path, content)
    if isinstance(content, dict):
        lengths = {len(part) for part in content.values() if isinstance(part, list)}
        if (
            content
            and len(lengths) == 1
            and all(isinstance(part, list) for part in content.values())
        ):
            return _table(path, content)
        for part in content.values():
            if isinstance(part, list) and part and isinstance(part[0], dict):
                return table_of_records(path, part)
    raise DataError(
        f"{plain(path.name)} holds no table:",
        "it should be a list of objects, or an object with a list for each column.",
    )


def _read_json_lines(path: Path, options: ReadOptions) -> Reading:
    text = read_text(path, options.encoding)
    if not text.strip():
        raise DataError(f"{plain(path.name)} is empty.")
    if _is_deep(text):
        return Reading(table_of_records(path, _json_lines(path, text)))
    try:
        # One block, since types are inferred from the first one alone.
        block = pa.json.ReadOptions(block_size=min(len(text) * 4 + 16, 2**31 - 1))
        return Reading(pa.json.read_json(pa.BufferReader(text.encode()), read_options=block))
    except pa.ArrowException:
        return Reading(
            table_of_records(path, _json_lines(path, text))
        )  # its message has the wrong row


def _is_deep(text: str) -> bool:
    """Whether a line may be nested so deeply that Arrow's reader, which recurses, would crash."""
    if text.count("{") + text.count("[") <= _MOST_LEVELS:
        return False
    return any(line.count("{") + line.count("[") > _MOST_LEVELS for line in text.split("\n"))


def _json_lines(path: Path, text: str) -> Iterable[Any]:
    for row, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield safe_json.loads(line)
            except ValueError as error:
                raise DataError(
                    f"{plain(path.name)}, row {row}: not JSON: {plain(error)}."
                ) from error


def table_of_records(path: Path, records: Iterable[Any]) -> pa.Table:
    """A table of JSON objects; keys that one lacks are missing there. Raises :class:`DataError`."""
    columns: dict[str, list[Any]] = {}
    count = 0
    for count, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise DataError(
                f"{plain(path.name)}, row {count}: {plain(record, 40)!r} is not an object."
            )
        for name, value in record.items():
            column = columns.setdefault(str(name), [])
            column.extend([None] * (count - 1 - len(column)))
            column.append(value)
    for column in columns.values():
        column.extend([None] * (count - len(column)))
    return _table(path, columns)


def _table(path: Path, columns: Mapping[str, list[Any]]) -> pa.Table:
    try:
        return pa.table({name: column_of(path, name, values) for name, values in columns.items()})
    except UnicodeEncodeError as error:
        text = plain(ascii(error.object), 60)
        raise DataError(
            f"{plain(path.name)}: the text {text} holds half a character (a lone surrogate)."
        ) from error


def column_of(path: Path, name: str, values: list[Any]) -> pa.Array:
    """An Arrow column; scalars of several types become text. Raises :class:`DataError`."""
    try:
        column = pa.array(values)
    except (pa.ArrowException, OverflowError):
        if (spans := span_column(values)) is not None:
            return spans
        if any(isinstance(value, list | dict) for value in values):
            raise DataError(
                f"{plain(path.name)}: the values of {plain(name, 60)!r} have different shapes."
            ) from None
        return pa.array([None if value is None else str(value) for value in values])
    _check_levels(path, name, column.type)
    return column


def _with_good_names(path: Path, reading: Reading) -> Reading:
    """Every column has a name of its own; refuses a file without rows."""
    table = reading.table
    if not table.num_rows or not table.num_columns:
        raise DataError(f"{plain(path.name)} has no rows.")
    for field in table.schema:
        _check_levels(path, field.name, field.type)
    names = unique_names(table.column_names)
    renamed = [
        f"column {i} of {plain(path.name)}, {plain(old, 40)!r}, is called {plain(new, 40)}"
        for i, (old, new) in enumerate(zip(table.column_names, names, strict=True), 1)
        if old.strip() != new
    ]
    if names != table.column_names:
        noted = table.schema.metadata
        table = table.rename_columns(names).replace_schema_metadata(noted)
    return Reading(table, (*reading.notes, *renamed), reading.skips)


def _check_levels(path: Path, name: str, kind: pa.DataType) -> None:
    """Refuse values that are nested too deeply; a table of them takes gigabytes."""
    levels, kinds = 0, [kind]
    while kinds := [kind.field(i).type for kind in kinds for i in range(kind.num_fields)]:
        levels += 1
    if levels > _MOST_LEVELS:
        raise DataError(
            f"{plain(path.name)}: the values of {plain(name, 60)!r} are nested more than "
            f"{_MOST_LEVELS} levels deep."
        )


def unique_names(names: Iterable[str]) -> list[str]:
    """Names without blanks around them; empty and repeated ones get a number."""
    stripped = [name.strip() for name in names]
    taken = Counter(stripped)
    result: list[str] = []
    for number, name in enumerate(stripped, 1):
        new = name or f"column_{number}"
        suffix = 2
        while new in result or (new != name and new in taken):
            new = f"{name or f'column_{number}'}_{suffix}"
            suffix += 1
        result.append(new)
    return result


def _read_csv(path: Path, options: ReadOptions) -> Reading:
    from engine.data.readers.csv import read_csv

    return Reading(
        *read_csv(path, read_text(path, options.encoding), options.delimiter, options.header)
    )


def _read_conll(path: Path, options: ReadOptions) -> Reading:
    return Reading(read_conll(path, read_text(path, options.encoding)))


def _read_plain_text(path: Path, options: ReadOptions) -> Reading:
    """One row a line, empty lines included."""
    text = read_text(path, options.encoding).replace("\r\n", "\n").removesuffix("\n")
    return Reading(pa.table({"text": text.split("\n")}))


READERS: dict[str, Reader] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".data": _read_csv,
    ".parquet": _read_parquet,
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
    ".conll": _read_conll,
    ".bio": _read_conll,
    ".iob": _read_conll,
    ".iob2": _read_conll,
    ".txt": _read_plain_text,
}
"""By suffix: how a file is read. Names of formats are the suffixes without the dot."""
