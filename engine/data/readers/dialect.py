"""The dialect of a CSV file: what separates and encloses cells, and whether there is a header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from engine.errors import DataError
from engine.files.sanitize import plain

_SAMPLE_CHARACTERS = 64 * 1024
_SAMPLE_LINES = 20
_MOSTLY = 0.8
"""A column is one of numbers when more than this share of its cells are."""
_DELIMITERS = ("\t", ";", "|", ",")
"""Those that occur least within cells first."""
_NAMED = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";"}
LINE_END = re.compile(r"\r\n?|\n")
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?!\d)")
_MISSING = ("na", "n/a", "nan", "nat", "null", "none")
_DECIMAL_COMMA = re.compile(
    r"[-+]?(?:\d*,(?:\d{1,2}|\d{4,})|(?:0|\d{4,}),\d{3}|\d{1,3}(?:\.\d{3})+,\d+)"
)
"""A number with a comma that does not stand between thousands."""
_DECIMAL_POINT = re.compile(
    r"[-+]?(?:\d*\.(?:\d{1,2}|\d{4,})|(?:0|\d{4,})\.\d{3}|\d{1,3}(?:,\d{3})+\.\d+)"
)
_MONTH = re.compile(r"(?:0[1-9]|1[0-2])\.(?:19|20)\d\d|(?:19|20)\d\d\.(?:0[1-9]|1[0-2])")
"""A month with its year, which is no number with a decimal point."""
_VERSION = re.compile(r"\d{1,2}\.\d{1,2}")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}\.\d{3}")
_CODE = re.compile(r"\d+[eE]\d+")
_COUNTS = 12
"""Numbers that are column names: twelve months are the fewest."""
_FEW_VERSIONS = 50
"""More different numbers than these are measured ones."""
_QUOTED_CELL = re.compile(r'(^|\t)"(?:[^\t"]|"")*"(\t|\r?$)', re.MULTILINE)
_ESCAPED = re.compile(r'\\"(?![,;\t|\r\n]|$)')
"""A quote after a backslash, within a cell."""
_BACKSLASH_LAST = re.compile(r'\\"(?:[,;\t|\r\n]|$)|""[^,;\t|\r\n"]')
"""A backslash at the end of a cell, or a quote that is doubled instead."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The format of a CSV file."""

    delimiter: str
    header: bool
    quoted: bool
    decimal_point: str
    escaped: bool = False
    """Whether backslashes stand before quotes within cells."""
    typed: bool = True
    """Whether columns of numbers, dates and truth values get types of their own."""
    texts: frozenset[str] = frozenset()
    """Columns that do not in any case."""


def sample_of(text: str) -> str:
    """The first rows, whole ones: some even where a row has thousands of cells."""
    if len(text) <= _SAMPLE_CHARACTERS:
        return text
    last = max(text.rfind(end, 0, _SAMPLE_CHARACTERS) for end in "\r\n") + 1
    few = [line.end() for line in islice(LINE_END.finditer(text), _SAMPLE_LINES)]
    return text[: max(last, *few[-1:]) or _SAMPLE_CHARACTERS]


def find_dialect(sample: str, delimiter: str, header: str = "auto", decimal: str = "") -> Dialect:
    """The dialect of a CSV with a known delimiter, from its first rows.

    ``decimal`` is the decimal mark where the numbers leave it open.
    """
    # Tab-separated files mostly leave quotes as they are.
    quoted = delimiter != "\t" or _QUOTED_CELL.search(sample) is not None
    escaped = _ESCAPED.search(sample) is not None and _BACKSLASH_LAST.search(sample) is None
    rows = rows_of(sample, delimiter, quoted)
    has_header = _is_header(rows) if header == "auto" else header == "yes"
    cells = [cell.strip() for row in rows[1:] for cell in row]
    comma = any(map(_DECIMAL_COMMA.fullmatch, cells)) or decimal == ","
    point = any(_DECIMAL_POINT.fullmatch(c) and not _MONTH.fullmatch(c) for c in cells)
    decimal_point = "," if comma and not point and delimiter != "," else "."
    return Dialect(delimiter, has_header, quoted, decimal_point, quoted and escaped)


def rows_of(sample: str, delimiter: str, quoted: bool = True) -> list[list[str]]:
    """The cells of rows that are not empty."""
    if not quoted:
        return [line.split(delimiter) for line in LINE_END.split(sample) if line]
    try:
        lines = io.StringIO(sample, newline="")
        return [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return rows_of(sample, delimiter, quoted=False)


def find_delimiter(sample: str, given: str = "") -> str:
    """The one that is ``given``, or else cuts most rows into the same number of cells.

    Raises :class:`DataError` for a given one that is none.
    """
    if given:
        return _named(given)

    def score(delimiter: str) -> tuple[float, int]:
        counts = Counter(len(row) for row in rows_of(sample, delimiter))
        cells, rows = max(counts.items(), key=lambda item: (item[1], item[0]))
        return (rows / counts.total(), cells) if cells > 1 else (0.0, 1)

    scores = {delimiter: score(delimiter) for delimiter in _DELIMITERS}
    uncut = not any(share for share, _ in scores.values())
    if uncut and all(len(row) == 1 for row in rows_of(sample, ",")):
        return ","  # a single column, whose cells may be in quotes
    # Commas also stand within numbers, as often in each row.
    whole = [delimiter for delimiter, (share, _) in scores.items() if share == 1.0]
    return whole[0] if whole else max(_DELIMITERS, key=lambda delimiter: scores[delimiter])


def _named(given: str) -> str:
    delimiter = _NAMED.get(given, given)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\\':
        raise DataError(
            f"data.delimiter: {plain(given, 20)!r} cannot divide the cells of a CSV file.",
            "Give one character, such as ; or |, or the word tab or space.",
        )
    return delimiter


def looks_like_versions(cells: Sequence[str]) -> str:
    """Return a cell such as ``1.10`` among others such as ``1.9``, or ``2E5``; else empty.

    Numbers of a machine have no zero at the end, those of a table as many digits everywhere.
    """
    given = {cell.strip() for cell in cells} - {""}
    if not any("." in cell or "-" in cell for cell in given):
        return min(filter(_CODE.fullmatch, given), default="")
    if len(given) > _FEW_VERSIONS or not all(map(_VERSION.fullmatch, given)):
        return ""
    shortest = min((len(cell.partition(".")[2]) for cell in given), default=0)
    padded = [cell for cell in given if cell.endswith("0") and len(cell.partition(".")[2]) > 1]
    return min((cell for cell in padded if len(cell.partition(".")[2]) > shortest > 0), default="")


def looks_like_thousands(cells: Sequence[str]) -> str:
    """Return a cell such as ``1.234`` where all with a mark are, and others are small; or empty."""
    given = {cell.strip() for cell in cells} - {""}
    marked = {cell for cell in given if "." in cell}
    if not all(map(_THOUSANDS.fullmatch, marked)) or any(len(c) > 3 for c in given - marked):
        return ""
    return min(marked, default="")


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row differs from those below it as names differ from values.

    Numbers can be names where they count the columns; dates and amounts cannot. In a table of texts
    alone, a first cell that occurs again below, such as a class, is a value.
    """
    first = [cell.strip() for cell in rows[0]]
    if _counts_columns(first):
        return True
    columns = [[row[i].strip() for row in rows[1:] if i < len(row)] for i in range(len(first))]
    if _counts_behind_names(first, columns) or any(map(_is_above_dates, first, columns)):
        return True
    kinds = [mostly_numbers(column) for column in columns]
    named = [_NUMBER.fullmatch(name) is None for name in first]
    # An empty cell above numbers may be a missing value, but not above numbered rows.
    named[1:] = [text and name != "" for text, name in zip(named[1:], first[1:], strict=True)]
    if any(text and kind for text, kind in zip(named, kinds, strict=True)):
        return True
    if any(kinds) or any(map(_NUMBER.fullmatch, first)):
        return False
    if any(map(_is_value, first, columns)):
        return False
    return not any(
        name and column.count(name) > 1 for name, column in zip(first, columns, strict=True)
    )


def _is_above_dates(cell: str, below: Sequence[str]) -> bool:
    """Whether a cell without digits, a name, stands above dates, as numbers do beside it."""
    named = cell[:1].isalpha() and cell.lower() not in _MISSING and not re.search(r"\d", cell)
    return named and sum(map(bool, map(_DATE.match, below))) > _MOSTLY * len(below) > 0


def _is_value(cell: str, below: Sequence[str]) -> bool:
    """Whether a cell with digits has the form of most cells below, such as that of a date."""
    form = re.sub(r"\d+", "0", cell)
    same = sum(re.sub(r"\d+", "0", other) == form for other in below)
    return form != cell and len(form) > 1 and same > _MOSTLY * len(below) > 0


def _counts_columns(names: Sequence[str]) -> bool:
    """Whether the cells are numbers one after the other, from 0 or 1, or at least four of them."""
    if not all(name.isdecimal() for name in names) or len(names) < 2:
        return False
    start = int(names[0])
    least = {0: 2, 1: 3}.get(start, 4)
    return len(names) >= least and list(names) == [str(start + i) for i in range(len(names))]


def _counts_behind_names(cells: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Whether names are followed by at least twelve numbers that count, as in a pivot table.

    They count from 0 or 1, or are times of day such as ``0015``.
    """
    names = list(takewhile(lambda cell: cell and not _NUMBER.fullmatch(cell), cells))
    counts = cells[len(names) :]
    if not names or len(counts) < _COUNTS or not all(map(str.isdecimal, counts)):
        return False
    if any(map(_is_value, names, columns)):
        return False
    numbers = [int(cell) for cell in counts]
    clocks = all(len(cell) == len("0015") for cell in counts) and numbers == sorted({*numbers})
    return clocks or numbers in ([*range(len(counts))], [*range(1, len(counts) + 1)])


def mostly_numbers(cells: Sequence[str]) -> bool:
    """Whether most cells that are not empty are numbers."""
    given = [cell for cell in cells if cell]
    return sum(_NUMBER.fullmatch(cell) is not None for cell in given) > _MOSTLY * len(given)
