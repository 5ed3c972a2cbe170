"""CSV and its relatives: what separates cells, whether there is a header, and the table."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from engine.errors import DataError
from engine.files.sanitize import plain

_SAMPLE_CHARACTERS = 64 * 1024
_DELIMITERS = (",", "\t", ";", "|")
_NAMED = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";"}
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_QUOTED_CELL = re.compile(r'(^|\t)"[^\t"]*"(\t|\r?$)', re.MULTILINE)
_DECIMAL_POINT = re.compile(r"[-+]?\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The format of a CSV file."""

    delimiter: str
    header: bool
    quoted: bool
    decimal_point: str


def read_csv(
    path: Path, text: str, delimiter: str = "", header: str = "auto"
) -> tuple[pa.Table, tuple[str, ...]]:
    """The table in ``text`` with notes on what was found out; types are those of the whole column.

    Raises :class:`DataError` that names the file and the row.
    """
    if not text.strip():
        raise DataError(f"{plain(path.name)} is empty.")
    dialect = sniff(text, _NAMED.get(delimiter, delimiter), header)
    table = _parse(path, text, dialect)
    if dialect.header:
        return table, ()
    names = [f"column_{i + 1}" for i in range(table.num_columns)]
    return table.rename_columns(names), (f"{plain(path.name)} has no header; columns are numbered",)


def sniff(text: str, delimiter: str = "", header: str = "auto") -> Dialect:
    """The dialect of a CSV, from its first rows."""
    sample = text[:_SAMPLE_CHARACTERS]
    if len(text) > len(sample):
        sample = sample[: sample.rfind("\n") + 1] or sample
    delimiter = delimiter or _delimiter(sample)
    # Tab-separated files mostly leave quotes as they are.
    quoted = (
        delimiter != "\t"
        or re.search(r'(^|\t)"[^\t"]*"(\t|\r?$)', sample, re.MULTILINE) is not None
    )
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

    return max(_DELIMITERS, key=score)


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """A header has no numbers, unless it numbers the columns."""
    first = [cell.strip() for cell in rows[0]]
    if first == [str(i) for i in range(len(first))] and len(first) > 1:
        return True
    return not any(map(_NUMBER.fullmatch, first))


def _parse(path: Path, text: str, dialect: Dialect) -> pa.Table:
    bad: list[pa.csv.InvalidRow] = []

    def refuse(row: pa.csv.InvalidRow) -> str:
        bad.append(row)
        return "error"

    data = text.encode()
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
            convert_options=pa.csv.ConvertOptions(decimal_point=dialect.decimal_point),
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
