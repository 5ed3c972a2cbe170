"""CSV and its relatives: what separates cells, whether there is a header, and the table."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from engine.data.fitted import FileFormat
from engine.data.raw import with_decimal_mark
from engine.data.readers.reading import Reading, ReadOptions, unique_names
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

_SAMPLE_CHARACTERS = 64 * 1024
_MOSTLY = 0.8
"""A column is one of numbers when more than this share of its cells are."""
_PADDED = r"^\s*[-+]?0\d"
_WINDOW = 1 << 22
"""Bytes that are looked through at a time."""
_LONG_CELL = 30
"""A cell of more lines is reported: a quote may be missing."""
_DELIMITERS = ("\t", ";", "|", ",")
"""Those that occur least within cells first."""
_NAMED = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";"}
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?(?:\d*,(?:\d{1,2}|\d{4,})|(?:0|\d{4,}),\d{3})")
"""A number with a comma that does not stand between thousands."""
_QUOTED_CELL = re.compile(r'(^|\t)"[^\t"]*"(\t|\r?$)', re.MULTILINE)
_DECIMAL_POINT = re.compile(r"[-+]?(?:\d*\.(?:\d{1,2}|\d{4,})|(?:0|\d{4,})\.\d{3})")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The format of a CSV file."""

    delimiter: str
    header: bool
    quoted: bool
    decimal_point: str
    typed: bool = True
    """Whether columns of numbers, dates and truth values get types of their own."""
    texts: frozenset[str] = frozenset()
    """Columns that do not in any case."""


def read_csv(path: Path, text: str, options: ReadOptions) -> Reading:
    """The table in ``text`` with notes on what was found out; types are those of the whole column.

    Whole numbers of which some begin with a zero are codes, and stay texts. Raises
    :class:`DataError` that names the file and the row.
    """
    if not text.strip():
        raise DataError(f"{plain(path.name)} is empty.")
    dialect = sniff(text, _NAMED.get(options.delimiter, options.delimiter), options.header)
    dialect = replace(dialect, typed=not options.as_written, texts=options.texts)
    notes: list[Note] = []
    try:
        table = _parse(path, text, dialect)
    except DataError:
        if not (strays := dialect.quoted and stray_quotes(text, dialect.delimiter)):
            raise
    else:
        joined = dialect.quoted and table.num_rows + dialect.header < text.count("\n")
        strays = joined and stray_quotes(text, dialect.delimiter)
    if strays:
        table = _unquoted(_parse(path, text, replace(dialect, quoted=False)))
        notes.append(Note(f"{plain(path.name)}: {strays}; quotes are read as characters"))
    elif dialect.quoted:
        notes += _long_cells(path, table)
    if not dialect.header:
        table = table.rename_columns([f"column_{i + 1}" for i in range(table.num_columns)])
        notes.append(Note(f"{plain(path.name)} has no header; columns are numbered"))
    if dialect.decimal_point != ".":
        table = with_decimal_mark(table, dialect.decimal_point)
    format = FileFormat(delimiter=dialect.delimiter, header="yes" if dialect.header else "no")
    return Reading(table, tuple(notes), format=format)


def stray_quotes(text: str, delimiter: str) -> str:
    """Describe opening quotes that have no closing ones; empty where quotes enclose cells.

    They would join lines: where some lines are joined by quotes, although every line by itself has
    the same number of cells, the quotes are characters like others.
    """
    lines = [line for line in text.splitlines() if line]
    if len({line.count(delimiter) for line in lines}) > 1 or delimiter not in lines[0]:
        return ""
    opened = [
        number
        for number, line in enumerate(lines, 1)
        for cell in line.split(delimiter)
        if cell.startswith('"') and not (len(cell) > 1 and cell.endswith('"'))
    ]
    if not opened:
        return ""
    return f"{len(opened):,} opening quotes without a closing one, the first in line {opened[0]:,}"


def _unquoted(table: pa.Table) -> pa.Table:
    """Remove the quotes of cells that are enclosed in them."""
    for i, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            cells = pc.replace_substring_regex(table[i], r'^"([^"]*)"$', r"\1")
            table = table.set_column(i, field.name, cells)
    return table


def _long_cells(path: Path, table: pa.Table) -> Iterator[Note]:
    """Yield a note on the longest cell, if it is suspiciously long."""
    for field in table.schema:
        if pa.types.is_string(field.type) and table.num_rows:
            lines = pc.count_substring(table[field.name], "\n")
            most = pc.max(lines).as_py() or 0
            if most >= _LONG_CELL:
                row = pc.index(lines, most).as_py() + 1
                yield Note(
                    f"{plain(path.name)}: {plain(field.name, 40)} of row {row:,} has {most + 1:,} "
                    "lines; is a quote missing?"
                )


def sniff(text: str, delimiter: str = "", header: str = "auto") -> Dialect:
    """The dialect of a CSV, from its first rows."""
    sample = text[:_SAMPLE_CHARACTERS]
    if len(text) > len(sample):
        sample = sample[: sample.rfind("\n") + 1] or sample
    delimiter = delimiter or _delimiter(sample)
    # Tab-separated files mostly leave quotes as they are.
    quoted = delimiter != "\t" or _QUOTED_CELL.search(sample) is not None
    rows = _rows(sample, delimiter, quoted)
    has_header = _is_header(rows) if header == "auto" else header == "yes"
    cells = [cell.strip() for row in rows[1:] for cell in row]
    comma = any(map(_DECIMAL_COMMA.fullmatch, cells)) and not any(
        map(_DECIMAL_POINT.fullmatch, cells)
    )
    return Dialect(delimiter, has_header, quoted, "," if comma and delimiter != "," else ".")


def _rows(sample: str, delimiter: str, quoted: bool = True) -> list[list[str]]:
    lines = sample.splitlines()
    if not quoted:
        return [line.split(delimiter) for line in lines if line]
    try:
        return [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return _rows(sample, delimiter, quoted=False)


def _delimiter(sample: str) -> str:
    """The one that cuts most rows into the same number of cells, and more than one."""

    def score(delimiter: str) -> tuple[float, int]:
        counts = Counter(len(row) for row in _rows(sample, delimiter))
        cells, rows = max(counts.items(), key=lambda item: (item[1], item[0]))
        return (rows / counts.total(), cells) if cells > 1 else (0.0, 1)

    scores = {delimiter: score(delimiter) for delimiter in _DELIMITERS}
    # Commas also stand within numbers, as often in each row.
    whole = [delimiter for delimiter, (share, _) in scores.items() if share == 1.0]
    return whole[0] if whole else max(_DELIMITERS, key=lambda delimiter: scores[delimiter])


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row differs from those below it as names differ from values.

    Numbers can be names where they count the columns. In a table of texts alone, a first cell that
    occurs again below, such as a class, is a value.
    """
    first = [cell.strip() for cell in rows[0]]
    if _counts_columns(first):
        return True
    columns = [[row[i].strip() for row in rows[1:] if i < len(row)] for i in range(len(first))]
    kinds = [_mostly_numbers(column) for column in columns]
    named = [_NUMBER.fullmatch(name) is None for name in first]
    # An empty cell above numbers may be a missing value, but not above numbered rows.
    named[1:] = [text and name != "" for text, name in zip(named[1:], first[1:], strict=True)]
    if any(text and kind for text, kind in zip(named, kinds, strict=True)):
        return True
    if any(kinds) or any(map(_NUMBER.fullmatch, first)):
        return False
    return not any(
        name and column.count(name) > 1 for name, column in zip(first, columns, strict=True)
    )


def _counts_columns(names: Sequence[str]) -> bool:
    """Whether the cells are numbers one after the other, from 0 or 1, or at least four of them."""
    if not all(name.isdecimal() for name in names) or len(names) < 2:
        return False
    start = int(names[0])
    least = {0: 2, 1: 3}.get(start, 4)
    return len(names) >= least and list(names) == [str(start + i) for i in range(len(names))]


def _mostly_numbers(cells: Sequence[str]) -> bool:
    given = [cell for cell in cells if cell]
    return sum(_NUMBER.fullmatch(cell) is not None for cell in given) > _MOSTLY * len(given)


def _parse(path: Path, text: str, dialect: Dialect) -> pa.Table:
    """Return the table; whole numbers that begin with zeros stay texts in all of their column."""
    data = text.encode()
    texts = _columns_of_texts(text, dialect) if dialect.texts or not dialect.typed else ()
    table = _arrow_table(path, data, dialect, dict.fromkeys(texts, pa.string()))
    if not dialect.typed:
        return table
    for name in dict.fromkeys(texts):
        table = _with_texts(table, name, table[name])
    whole = [field.name for field in table.schema if pa.types.is_integer(field.type)]
    if not whole or len(set(whole)) < len(whole) or not _has_padded(data, dialect.delimiter):
        return table
    written = _arrow_table(path, data, dialect, dict.fromkeys(whole, pa.string()), whole)
    for name in whole:
        if pc.any(pc.match_substring_regex(written[name], _PADDED)).as_py():
            table = _with_texts(table, name, written[name])
    return table


def _columns_of_texts(text: str, dialect: Dialect) -> list[str]:
    """Return the columns whose cells stay as they are written, under the names of Arrow."""
    first = _rows(text[:_SAMPLE_CHARACTERS], dialect.delimiter, dialect.quoted)[0]
    names = first if dialect.header else [f"f{i}" for i in range(len(first))]
    if not dialect.typed:
        return names
    known = unique_names(first if dialect.header else [""] * len(first))
    return [name for name, shown in zip(names, known, strict=True) if shown in dialect.texts]


def _with_texts(table: pa.Table, name: str, texts: pa.ChunkedArray) -> pa.Table:
    """Return the table with a column of texts, of which empty ones are missing."""
    empty = pc.equal(pc.utf8_trim_whitespace(texts), "")
    given = pc.if_else(empty, pa.scalar(None, pa.string()), texts)
    return table.set_column(table.column_names.index(name), name, given)


def _has_padded(data: bytes, delimiter: str) -> bool:
    """Return whether any cell may be a number that begins with a zero, such as ``012``."""
    # The byte before a zero, and the one after it, as one number.
    padded = np.zeros(1 << 16, bool)
    for before in f'{delimiter}"\n '.encode():
        padded[[before << 8 | after for after in b"0123456789"]] = True
    for start in range(0, len(data), _WINDOW):
        window = np.frombuffer(data, np.uint8, min(_WINDOW, len(data) - start), start)
        zeros = np.flatnonzero(window[1:-1] == ord("0"))
        around = window[zeros].astype(np.uint16) << 8 | window[zeros + 2]
        if padded[around].any():
            return True
    return False


def _arrow_table(
    path: Path,
    data: bytes,
    dialect: Dialect,
    types: Mapping[str, pa.DataType] = MappingProxyType({}),
    columns: Sequence[str] = (),
) -> pa.Table:
    bad: list[pa.csv.InvalidRow] = []

    def refuse(row: pa.csv.InvalidRow) -> str:
        bad.append(row)
        return "error"

    try:
        return pa.csv.read_csv(
            pa.BufferReader(data),
            # One block, since types are inferred from the first one; one thread numbers the rows.
            read_options=pa.csv.ReadOptions(
                use_threads=False,
                block_size=min(len(data) + 16, 2**31 - 1),
                autogenerate_column_names=not dialect.header,
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char='"' if dialect.quoted else False,
                newlines_in_values=dialect.quoted,
                invalid_row_handler=refuse,
            ),
            convert_options=pa.csv.ConvertOptions(
                decimal_point=dialect.decimal_point,
                column_types=dict(types),
                include_columns=list(columns),
                # Truth values stay as they are written: they are names of classes, too.
                true_values=[],
                false_values=[],
            ),
        )
    except pa.ArrowException as error:
        raise _explained(path, error, bad) from error


def _explained(path: Path, error: pa.ArrowException, bad: Sequence[pa.csv.InvalidRow]) -> DataError:
    if not bad:
        return DataError(f"{plain(path.name)} is not a readable CSV file: {plain(error)}.")
    row = bad[0]
    number = f"row {row.number}" if row.number is not None else f"the row {plain(row.text, 60)!r}"
    return DataError(
        f"{plain(path.name)}, {number}: {row.actual_columns} cells instead of "
        f"{row.expected_columns}.",
        "Mend the row (often a delimiter inside text without quotes), or set data.delimiter.",
    )
