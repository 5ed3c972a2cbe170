"""CSV and its relatives: the table in a text, and notes on how it was read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from engine.data.fitted import FileFormat
from engine.data.raw import with_decimal_mark
from engine.data.readers.around import (
    clean_text,
    further_headers,
    joined_names,
    line_of,
    without_footer,
    without_lines,
    without_repeated_header,
    without_titles,
    without_total,
)
from engine.data.readers.codes import are_months, has_padded, may_be_months
from engine.data.readers.dialect import (
    LINE_END,
    Dialect,
    find_delimiter,
    find_dialect,
    looks_like_thousands,
    looks_like_versions,
    rows_of,
    sample_of,
)
from engine.data.readers.reading import Reading, ReadOptions, unique_names
from engine.data.readers.single_quotes import with_double_quotes
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_PADDED = r"^\s*[-+]?0[\dxX]"
_LONG_NUMBER = r"^\s*[-+]?\d{16,}\s*$"
_NOT_UTC = r"[^Zz]\s*$"
_UTC = r"[+-]00(?::?00)?\s*$"
_EXACT = 2.0**53
"""Whole numbers up to this one are exact as float64."""
_OPEN = re.compile(r'"(?:[^"]|"")*')
"""A quoted cell that is not closed."""
_ENCLOSED = r'^"([^"]*)"$'
_LONG_CELL = 30
"""A cell of more lines is reported: a quote may be missing."""


def read_csv(path: Path, text: str, options: ReadOptions) -> Reading:
    """The table in ``text`` with notes on what was found out; types are those of the whole column.

    Whole numbers of which some begin with a zero, as ``007``, ``007.0`` and ``0x1F``, are codes and
    stay texts; so do numbers with more digits than float64 has, and times with an offset from UTC.
    Raises :class:`DataError` that names the file and the row.
    """
    if not text or text.isspace():
        raise DataError(f"{plain(path.name)} is empty.")
    text, dialect, notes = _table_and_dialect(path, text.lstrip("\r\n"), options)
    dialect = replace(dialect, typed=not options.as_written, texts=options.texts)
    source = _Source(path, text, dialect)
    try:
        table = _parse(source)
    except DataError:
        if not (strays := dialect.quoted and stray_quotes(text, dialect.delimiter)):
            raise
    else:
        joined = (
            dialect.quoted and '"' in text and table.num_rows + dialect.header < text.count("\n")
        )
        strays = joined and stray_quotes(text, dialect.delimiter)
    if strays:
        source = _Source(path, text, replace(dialect, quoted=False, escaped=False))
        table = _unquoted(_parse(source))
        why = f"{plain(path.name)}: {strays}; quotes are read as characters"
        notes.append(Note(why, read_as="characters"))
    if source.comments:
        why = f"{plain(path.name)}: {len(source.comments):,} lines that begin with # are left out"
        notes.append(Note(why, rows=len(source.comments), kind="dropped"))
    table = table.rename_columns(source.titles)
    if source.dialect.quoted:
        notes += _long_cells(path, table)
        notes += _open_end(path, text, source.dialect.delimiter)
    notes += _doubtful_numbers(source, table)
    if not dialect.header:
        why = f"{plain(path.name)} has no header; columns are numbered"
        notes.append(Note(why, read_as="a row of values", rows=1, change="data.header=yes"))
    decimal = "" if dialect.decimal_point == "." else dialect.decimal_point
    table, left_out = without_total(path, _without_blank_columns(table), decimal)
    notes += left_out
    if decimal:
        table = with_decimal_mark(table, decimal)
    header: Literal["yes", "no"] = "yes" if dialect.header else "no"
    format = FileFormat(delimiter=dialect.delimiter, header=header, decimal=decimal)
    return Reading(table, tuple(notes), format=format)


def _table_and_dialect(
    path: Path, text: str, options: ReadOptions
) -> tuple[str, Dialect, list[Note]]:
    """The text of the table alone, its dialect, and notes on what was around it."""
    text, declared, notes = clean_text(path, text)
    if (doubled := with_double_quotes(text)) is not text:
        why = f"{plain(path.name)}: single quotes that enclose cells are read as quotes"
        text, notes = doubled, [*notes, Note(why, read_as="quotes", kind="converted")]
    delimiter = find_delimiter(sample_of(text), options.delimiter or declared)
    text, titles = without_titles(path, text, delimiter, rows_of(sample_of(text), delimiter))
    dialect = find_dialect(sample_of(text), delimiter, options.header, options.decimal)
    text, footer = without_footer(path, text, delimiter)
    notes += [*titles, *footer]
    if not dialect.header:
        return text, dialect, notes
    text, repeated = without_repeated_header(path, text)
    rows = rows_of(sample_of(text), delimiter, dialect.quoted)
    longer = [len(row) == len(rows[0]) + 1 and not row[-1].strip() for row in rows[1:]]
    if longer and all(longer):
        # Rows end with a delimiter that the header lacks.
        text = LINE_END.sub(lambda end: delimiter + end[0], text, count=1)
    if further := further_headers(rows):
        others = ", ".join(plain(" ".join(filter(None, row)), 40) for row in rows[1 : 1 + further])
        why = f"{plain(path.name)} has {further + 1} header rows: names are "
        if names := joined_names(rows[: 1 + further]):
            text = line_of(names, delimiter) + without_lines(text, 0, 1 + further)
            notes.append(Note(f"{why}joined", rows=further, kind="converted"))
        else:
            text, why = without_lines(text, 1, further), f"{why}those of the first"
            notes.append(Note(f"{why}; left out: {others}", rows=further, kind="dropped"))
    return text, dialect, [*notes, *repeated]


def _without_blank_columns(table: pa.Table) -> pa.Table:
    """Leave out columns without a name and a value, which a delimiter at the end of rows makes."""
    blank = [
        i for i, name in enumerate(table.column_names)
        if not name.strip() and table[i].null_count == table.num_rows
    ]  # fmt: skip
    kept = [i for i in range(table.num_columns) if i not in blank]
    return table.select(kept) if blank and kept else table


def stray_quotes(text: str, delimiter: str) -> str:
    """Describe opening quotes that have no closing ones; empty where quotes enclose cells.

    They would join lines: where some lines are joined by quotes, although every line by itself has
    the same number of cells, the quotes are characters like others. Not so where the rest of the
    text keeps to the format with these lines joined: then the cell holds a line end.
    """
    lines = [line for line in LINE_END.split(text) if line]
    if len({line.count(delimiter) for line in lines}) > 1 or delimiter not in lines[0]:
        return ""
    opened = [
        number
        for number, line in enumerate(lines, 1)
        for cell in line.split(delimiter)
        if cell.startswith('"') and not (len(cell) > 1 and cell.endswith('"'))
    ]
    if not opened or _is_well_quoted(text, delimiter):
        return ""
    return f"{len(opened):,} opening quotes without a closing one, the first in line {opened[0]:,}"


def _is_well_quoted(text: str, delimiter: str) -> bool:
    """Whether quotes are only where RFC 4180 has them, and all rows have as many cells."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return len({len(row) for row in rows if row}) == 1
    except csv.Error:
        return False


def _unquoted(table: pa.Table) -> pa.Table:
    """Remove the quotes of cells that are enclosed in them."""
    for i, name in enumerate(table.column_names):
        if pa.types.is_string(table[i].type):
            cells = pc.replace_substring_regex(table[i], _ENCLOSED, r"\1")
            table = table.set_column(i, name, cells)
    return table


def _open_end(path: Path, text: str, delimiter: str) -> Iterator[Note]:
    """Yield a note on a file that ends within quotes, as one that was not written to its end."""
    opened = max(text.rfind(f'{before}"') for before in (delimiter, "\n"))
    if opened >= 0 and _OPEN.fullmatch(text, opened + 1):
        why = f"{plain(path.name)}: its last cell has no closing quote; it may be incomplete"
        yield Note(why, rows=1)


def _long_cells(path: Path, table: pa.Table) -> Iterator[Note]:
    """Yield a note on the longest cell, if it is suspiciously long."""
    for i, name in enumerate(table.column_names):
        if pa.types.is_string(table[i].type) and table.num_rows:
            lines = pc.count_substring(table[i], "\n")
            most = pc.max(lines).as_py() or 0
            if most >= _LONG_CELL:
                row = pc.index(lines, most).as_py() + 1
                yield Note(
                    f"{plain(path.name)}: {plain(name, 40)} of row {row:,} has {most + 1:,} "
                    "lines; is a quote missing?",
                    column=plain(name, 40),
                    rows=1,
                )


def _doubtful_numbers(source: _Source, table: pa.Table) -> Iterator[Note]:
    """Yield a doubt on each column of numbers that may be others, as its first rows show."""
    places = [i for i, field in enumerate(table.schema) if pa.types.is_floating(field.type)]
    if not places:
        return
    dialect, names = source.dialect, table.column_names
    rows = rows_of(sample_of(source.text), dialect.delimiter, dialect.quoted)[dialect.header :]
    for place in places:
        cells = [row[place] for row in rows if place < len(row)]
        name = plain(names[place], 40)
        if example := looks_like_versions(cells):
            why = f"{example} is read as the number {float(example):g}; is it a version or a code?"
            yield Note(why, name, "numbers", change=f"data.columns.{name}=text")
        # Commas between cells go with decimal points.
        elif dialect.delimiter == ";" and (example := looks_like_thousands(cells)):
            why = f"{example} is read as a fraction; it may have thousands as well"
            yield Note(why, name, "numbers", change=f'data.columns.{name}="numeric 1.234,5"')


@dataclass(frozen=True)
class _Source:
    """A CSV's text with its dialect."""

    path: Path
    text: str
    dialect: Dialect
    comments: set[int] = field(default_factory=set)
    """Numbers of the rows that were comments."""

    @property
    def titles(self) -> list[str]:
        """The names in the header, or those of numbered columns."""
        dialect = self.dialect
        first = rows_of(sample_of(self.text), dialect.delimiter, dialect.quoted)[0]
        if not dialect.quoted:
            first = [re.sub(_ENCLOSED, r"\1", name) for name in first]
        return first if dialect.header else [f"column_{i + 1}" for i in range(len(first))]


def _parse(source: _Source) -> pa.Table:
    """Return the table, its columns called 0, 1, 2 …"""
    dialect, titles = source.dialect, source.titles
    names = [str(i) for i in range(len(titles))]
    shown = zip(names, titles, unique_names(titles), strict=True)
    texts = [
        name for name, *written in shown
        if not dialect.typed or not dialect.texts.isdisjoint(map(str.strip, written))
    ]  # fmt: skip
    data = source.text.encode()
    table = _arrow_table(source, data, names, dict.fromkeys(texts, pa.string()))
    if not dialect.typed:
        return table
    for name in texts:
        table = _with_texts(table, int(name), table[name])
    doubtful = [field.name for field in table.schema if _may_lose(table[field.name])]
    if has_padded(data, dialect.delimiter):
        doubtful += [name for name in names if name not in doubtful and _is_whole(table[name])]
    if not doubtful:
        return table
    written = _arrow_table(source, data, names, dict.fromkeys(doubtful, pa.string()), doubtful)
    for name in doubtful:
        if _loses(written[name], table[name]):
            table = _with_texts(table, int(name), written[name])
    return table


def _may_lose(column: pa.ChunkedArray) -> bool:
    """Whether values may have lost digits, or the time on their clocks."""
    if pa.types.is_timestamp(column.type):
        return column.type.tz is not None
    if not pa.types.is_floating(column.type):
        return False
    values = column.to_numpy()
    large = bool(np.fmax.reduce(values) >= _EXACT or np.fmin.reduce(values) <= -_EXACT)
    return large or may_be_months(values)


def _is_whole(column: pa.ChunkedArray) -> bool:
    """Return whether all values are whole numbers, maybe of a floating type."""
    if not pa.types.is_floating(column.type):
        return bool(pa.types.is_integer(column.type))
    return bool(pc.all(pc.equal(pc.floor(column), column)).as_py())


def _loses(written: pa.ChunkedArray, column: pa.ChunkedArray) -> bool:
    """Return whether the values of a column have lost something of the texts that were written."""
    if pa.types.is_timestamp(column.type):
        local = pc.match_substring_regex(written, _NOT_UTC)
        return bool(pc.any(pc.and_not(local, pc.match_substring_regex(written, _UTC))).as_py())
    if pa.types.is_floating(column.type) and are_months(written):
        return True
    patterns = [_PADDED] if _is_whole(column) else []
    patterns += [_LONG_NUMBER] if pa.types.is_floating(column.type) else []
    return bool(pc.any(pc.match_substring_regex(written, "|".join(patterns))).as_py())


def _with_texts(table: pa.Table, place: int, texts: pa.ChunkedArray) -> pa.Table:
    """Return the table with texts in a column, of which empty ones are missing."""
    empty = pc.equal(pc.utf8_trim_whitespace(texts), "")
    given = pc.if_else(empty, pa.scalar(None, pa.string()), texts)
    return table.set_column(place, table.column_names[place], given)


def _arrow_table(
    source: _Source,
    data: bytes,
    names: Sequence[str],
    types: Mapping[str, pa.DataType] = MappingProxyType({}),
    columns: Sequence[str] = (),
) -> pa.Table:
    dialect = source.dialect
    bad: list[pa.csv.InvalidRow] = []

    def refuse(row: pa.csv.InvalidRow) -> str:
        if row.text.startswith("#") and row.actual_columns < row.expected_columns:
            source.comments.add(row.number)
            return "skip"
        bad.append(row)
        return "error"

    try:
        return pa.csv.read_csv(
            pa.BufferReader(data),
            # One block, since types are inferred from the first block; one thread numbers the rows.
            read_options=pa.csv.ReadOptions(
                use_threads=False,
                block_size=min(len(data) + 16, 2**31 - 1),
                column_names=list(names),
                skip_rows_after_names=int(dialect.header),
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char='"' if dialect.quoted else False,
                escape_char="\\" if dialect.escaped else False,
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
        raise _explained(source, error, bad) from error


def _explained(
    source: _Source, error: pa.ArrowException, bad: Sequence[pa.csv.InvalidRow]
) -> DataError:
    name = plain(source.path.name)
    if not bad:
        return DataError(
            f"{name} is not a readable CSV file: {plain(error).rstrip('.')}.",
            "Check data.encoding, data.delimiter and the quotes of its cells.",
        )
    row = bad[0]
    number = f"row {row.number}" if row.number is not None else f"the row {plain(row.text, 60)!r}"
    found = counted(row.actual_columns, "cell")
    problem = f"{name}, {number}: {found} instead of {row.expected_columns}"
    before = source.text[: max(0, source.text.find(row.text))].replace("\r", "")
    if before.endswith("\n\n") and before.strip():
        return DataError(
            f"{problem}. It comes after an empty line: another table seems to begin there.",
            "Put each table into a file of its own.",
        )
    return DataError(
        f"{problem}.",
        "Fix the row (often a delimiter inside text without quotes), or set data.delimiter.",
    )
