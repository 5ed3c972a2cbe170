"""Files to Arrow tables: a small table of readers by suffix.

Adding a format: a function of this module's :data:`Reader` type and a line in :data:`READERS`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from engine.data.on_disk import LARGE, WINDOW, mapped
from engine.data.readers.arff import read_arff
from engine.data.readers.brat import read_brat
from engine.data.readers.conll import is_tagged, read_conll, read_conllu
from engine.data.readers.csv import read_csv
from engine.data.readers.excel.read import read_excel
from engine.data.readers.json import read_json, read_json_lines
from engine.data.readers.parallel_texts import other_half, read_pair
from engine.data.readers.plain_text import read_plain_text
from engine.data.readers.reading import (
    INCOMPLETE,
    Reader,
    Reading,
    ReadOptions,
    read_text,
    suffix_of,
    unique_names,
)
from engine.data.readers.records import check_levels
from engine.data.readers.sqlite import read_sqlite
from engine.data.readers.tmx import read_tmx
from engine.data.readers.ts import read_ts
from engine.data.readers.tsf import read_tsf
from engine.data.readers.view_types import cast_views, without_views
from engine.data.readers.webdataset import read_webdataset
from engine.errors import DataError
from engine.files.missing_path import where_instead
from engine.files.paths import is_folder
from engine.files.sanitize import plain
from engine.reports.note import Note

_ELSEWHERE = {
    (".numbers",): "Save it as .xlsx, or its sheet as CSV (UTF-8).",
    (".zip", ".tgz", ".7z", ".rar"): "Unpack it, and give the file or folder.",
    (".pkl", ".pickle", ".pt", ".npy", ".npz", ".h5", ".hdf5", ".orc", ".avro", ".dta", ".sav",
     ".sas7bdat", ".xml"): "Write it as Parquet or CSV.",
}  # fmt: skip
"""By suffixes: what to do about files of other programs."""
_BEGINNING, _LINES = 1 << 16, 50
"""Characters and lines at the beginning of a file that show what it is."""
DOCUMENTS = (".md", ".markdown")
"""Suffixes of texts that mostly stand beside data, and are about it."""
IF_WEBDATASET = "Unpack them; those of WebDataset (7.jpg, 7.cls) are read by data.kind=file."
"""The remedy for tar files where images are read."""
_TEXT_OF_BYTES = {pa.binary(): pa.string(), pa.large_binary(): pa.large_string()}
"""Types of text, by the types of bytes that hold them."""


def read_file(path: Path, options: ReadOptions, format: str = "") -> Reading:
    """Read one file by ``format`` or its suffix. Raises :class:`DataError` that names the file."""
    if is_folder(path):
        raise DataError(f"{plain(path)} is a folder.", "Give a file.")
    reader = READERS.get(f".{format.lstrip('.').lower()}" if format else suffix_of(path))
    if reader is None and not format and other_half(path) is not None:
        reader = read_pair
    if reader is None:
        raise _unread(path, format)
    try:
        reading = reader(path, options)
    except OSError as error:
        why = error.strerror or plain(error).rstrip(".")
        hint = "" if error.strerror else INCOMPLETE  # of Arrow, on what it found in the file
        if isinstance(error, FileNotFoundError):
            hint = where_instead(path)
        raise DataError(f"Cannot read {plain(path)}: {why}.", hint) from error
    reading = _with_texts(reading)
    return _with_good_names(path, replace(reading, table=_spelled(reading.table, options)))


def _unread(path: Path, format: str) -> DataError:
    """Return the error for a format without a reader."""
    known = ", ".join(suffix[1:] for suffix in READERS)
    if format:
        problem = f"There is no way to read the format {plain(format, 20)!r}."
        return DataError(problem, f"data.format can be {known}.")
    remedy = f"If its suffix is not that of its format: data.format can be {known}."
    return DataError(
        f"There is no way to read the file {plain(path.name)}.", remedy_for(path) or remedy
    )


def remedy_for(path: Path) -> str:
    """Return what to do about a file of another program or an archive; empty for any other."""
    name = path.name.lower()
    return next((words for ends, words in _ELSEWHERE.items() if name.endswith(ends)), "")


def _with_texts(reading: Reading) -> Reading:
    """Return columns of bytes as texts where all are: some writers of Parquet mark no texts."""
    table, notes = reading.table, list(reading.notes)
    for place, field in enumerate(table.schema):
        if not (pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)):
            continue
        try:
            column = table[place].cast(_TEXT_OF_BYTES[field.type])
        except pa.ArrowInvalid:  # such as images
            continue
        table = table.set_column(place, field.name, column)
        rows = table.num_rows - column.null_count
        name = plain(field.name, 60)
        notes.append(Note("bytes are read as text", name, "text", rows, kind="converted"))
    return replace(reading, table=table, notes=tuple(notes))


def _spelled(table: pa.Table, options: ReadOptions) -> pa.Table:
    """Return truth values as texts, in whatever format they were, where cells are to be texts."""
    for place, field in enumerate(table.schema):
        if pa.types.is_boolean(field.type) and options.keeps(field.name):
            table = table.set_column(place, field.name, table[place].cast(pa.string()))
    return table


def _read_parquet(path: Path, options: ReadOptions) -> Reading:
    del options
    try:
        with pa.parquet.ParquetFile(path, memory_map=True) as file:
            groups = range(file.num_row_groups)
            schema = without_views(file.schema_arrow)
            if sum(file.metadata.row_group(i).total_byte_size for i in groups) < LARGE:
                return Reading(cast_views(file.read(), schema))
            windows = map(pa.table, file.iter_batches(WINDOW))
            batches = (part for one in windows for part in cast_views(one, schema).to_batches())
            return Reading(mapped(batches, schema))
    except pa.ArrowException as error:
        problem = f"{plain(path)} is not a readable Parquet file: {plain(error).rstrip('.')}."
        raise DataError(problem, INCOMPLETE) from error


def _read_arrow(path: Path, options: ReadOptions) -> Reading:
    del options
    try:
        with pa.memory_map(str(path)) as file:
            try:
                table = pa.ipc.open_file(file).read_all()
            except pa.ArrowInvalid:
                file.seek(0)
                table = pa.ipc.open_stream(file).read_all()
        return Reading(cast_views(table, without_views(table.schema)))
    except pa.ArrowException as error:
        problem = f"{plain(path)} is not a readable Arrow file: {plain(error).rstrip('.')}."
        raise DataError(problem, INCOMPLETE) from error


def _read_tmx(path: Path, options: ReadOptions) -> Reading:
    table, notes = read_tmx(path, read_text(path, options.encoding))
    return Reading(table, notes)


def _with_good_names(path: Path, reading: Reading) -> Reading:
    """Every column has a name of its own; refuses a file without rows."""
    table = reading.table
    if not table.num_rows or not table.num_columns:
        raise DataError(f"{plain(path.name)} has no rows.")
    for field in table.schema:
        check_levels(path, field.name, field.type)
    names = unique_names(table.column_names)
    renamed = [
        Note(
            f"column {i} of {plain(path.name)}, {plain(old, 40)!r}, is called {plain(new, 40)}",
            column=plain(new, 40),
            kind="converted",
        )
        for i, (old, new) in enumerate(zip(table.column_names, names, strict=True), 1)
        if old.strip() != new
    ]
    if names != table.column_names:
        noted = table.schema.metadata
        table = table.rename_columns(names).replace_schema_metadata(noted)
    old = reading.table.column_names
    numbers = frozenset(
        new
        for name, new in zip(old, names, strict=True)
        if name in reading.numbers and old.count(name) == 1
    )
    return replace(reading, table=table, notes=(*reading.notes, *renamed), numbers=numbers)


def _read_csv(path: Path, options: ReadOptions) -> Reading:
    return read_csv(path, read_text(path, options.encoding), options)


def _read_tsv(path: Path, options: ReadOptions) -> Reading:
    text = read_text(path, options.encoding)
    return _tagged(path, text) if is_tagged(text) else read_csv(path, text, options)


def _read_txt(path: Path, options: ReadOptions) -> Reading:
    text = read_text(path, options.encoding)
    if not options.as_written and _is_delimited(text):  # a task on tables, not on texts
        why = f"{plain(path.name, 60)} has equally many cells a line: it is read as CSV"
        reading = read_csv(path, text, options)
        note = Note(why, change="data.format", kind="converted")
        return replace(reading, notes=(note, *reading.notes))
    return _tagged(path, text) if is_tagged(text) else read_plain_text(path, text)


def _read_markdown(path: Path, options: ReadOptions) -> Reading:
    return read_plain_text(path, read_text(path, options.encoding))


def _is_delimited(text: str) -> bool:
    """Return whether the first lines have equally many of a usual delimiter."""
    lines = [line for line in text[:_BEGINNING].split("\n")[:-1] if line.strip()][:_LINES]
    counts = [[line.count(mark) for line in lines] for mark in (";", "\t", ",", "|")]
    return len(lines) > 1 and any(min(own) > 0 and min(own) == max(own) for own in counts)


def _tagged(path: Path, text: str) -> Reading:
    why = f"{plain(path.name, 60)} has a word and its tags a line: it is read as CoNLL"
    return Reading(read_conll(path, text), (Note(why, change="data.format", kind="converted"),))


def _read_conll(path: Path, options: ReadOptions) -> Reading:
    return Reading(read_conll(path, read_text(path, options.encoding)))


def _read_conllu(path: Path, options: ReadOptions) -> Reading:
    return Reading(read_conllu(path, read_text(path, options.encoding)))


def _read_tsf(path: Path, options: ReadOptions) -> Reading:
    table, notes = read_tsf(path, read_text(path, options.encoding))
    return Reading(table, notes)


def _read_ts(path: Path, options: ReadOptions) -> Reading:
    table, notes = read_ts(path, read_text(path, options.encoding))
    return Reading(table, notes)


def _read_arff(path: Path, options: ReadOptions) -> Reading:
    return read_arff(path, read_text(path, options.encoding), options)


READERS: dict[str, Reader] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".data": _read_csv,
    ".parquet": _read_parquet,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
    ".conll": _read_conll,
    ".conllu": _read_conllu,
    ".bio": _read_conll,
    ".iob": _read_conll,
    ".iob2": _read_conll,
    ".txt": _read_txt,
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".tsf": _read_tsf,
    ".ts": _read_ts,
    ".tmx": _read_tmx,
    ".arff": _read_arff,
    ".xlsx": read_excel,
    ".xlsm": read_excel,
    ".xls": read_excel,
    ".xlsb": read_excel,
    ".ods": read_excel,
    ".sqlite": read_sqlite,
    ".sqlite3": read_sqlite,
    ".db": read_sqlite,
    ".ann": read_brat,
    ".tar": read_webdataset,
}
"""By suffix: how a file is read. Names of formats are the suffixes without the dot."""
