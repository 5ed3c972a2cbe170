"""Lines of a CSV file that are not rows of its table: titles, comments, footers, more headers."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from engine.data.readers.dialect import mostly_numbers
from engine.data.tables.values import number_format_of, numbers
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

_SEPARATOR = re.compile(r'"?sep=(.)"?[^\S\r\n]*\r?\n', re.IGNORECASE)
"""The first line of a file that Excel is to open."""
_LETTER = re.compile(r"[^\W\d_]")
_NUMBER = re.compile(r"[-+]?\d")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
_COMMENT = re.compile(r"#(?:[\s#!]|$)")
_MOSTLY = 0.8
"""Share of the rows that have as many cells as the table."""
_MOST_LINES = 50
"""More lines than this above a table are none of titles."""
_MOST_BELOW = 20
"""More lines than this below a table are another one."""
_TAIL = 1 << 13
"""Characters at the end in which such lines are looked for."""
_MOST_HEADERS = 5
_MISSING = ("", "?", "-", "na", "n/a", "nan", "null", "none")
TOTAL = re.compile(
    r"(?i)(?:grand |sub)?totals?:?|sum:?|summe:?|gesamt:?|insgesamt:?|totale:?|total general:?"
    r"|suma:?|somme:?|razem:?|summa:?|итого:?|всего:?|合計|总计|総計"
)
"""Names of totals."""
_FEW_ROWS = 3
_ROUNDED = 1e-6
"""Relative difference of a sum that was rounded."""
_WIDE = 0.3
"""Share of NUL characters that shows an encoding of two bytes a character."""


def clean_text(path: Path, text: str) -> tuple[str, str, list[Note]]:
    """Return the text without marks that are no characters of it, its delimiter, and notes.

    The delimiter is the one of a first line ``sep=;``, or empty. Raises :class:`DataError` for a
    text of another encoding.
    """
    notes: list[Note] = []
    name = plain(path.name)
    if "\0" in text:
        if text.count("\0") > _WIDE * len(text):
            raise DataError(
                f"{name} is not UTF-8: every other character is NUL.",
                "Set data.encoding to utf-16, or save the file as UTF-8.",
            )
        stripped = text.rstrip("\0\r\n") if text.rstrip("\r\n").endswith("\0") else text
        if len(stripped) < len(text):
            why = f"{name}: {len(text) - len(stripped):,} NUL characters at the end are left out"
            notes.append(Note(why, kind="dropped"))
            text = stripped
        if left := text.count("\0"):
            notes.append(Note(f"{name}: {left:,} NUL characters are within cells"))
    if "\n\ufeff" in text:
        count = text.count("\n\ufeff")
        why = f"{name}: {count:,} byte order marks within the file are left out"
        notes.append(Note(why, kind="dropped"))
        text = text.replace("\n\ufeff", "\n")
    if (first := _SEPARATOR.match(text)) is None:
        return text, "", notes
    return text[first.end() :], first[1], notes


def without_titles(
    path: Path, text: str, delimiter: str, rows: Sequence[Sequence[str]]
) -> tuple[str, list[Note]]:
    """Return the text from the header on, with a note on the lines above that are left out.

    ``rows`` are the first rows. Lines above are comments, or have one cell where nearly all rows
    have more than two, or any more and an empty line is between, or stand above an empty line with
    at most half as many values as there are columns.
    """
    counts = Counter(map(len, rows))
    width, found = counts.most_common(1)[0]
    if width < 2 or found < _MOSTLY * counts.total():
        return text, []
    if begin := _below_empty_line(text, delimiter, width):
        return text[begin:], [_left_out(path, "above", text[:begin].splitlines(), delimiter)]
    skipped: list[str] = []
    while len(skipped) < _MOST_LINES and (line := _LINE.match(text, begin)) and line[0]:
        if '"' in line[0] or not _is_title(line[0].strip(), delimiter, width):
            break
        skipped.append(line[0].strip())
        begin = line.end()
    titles = list(filter(None, skipped))
    below = rows[len(titles) :]
    if text.startswith("#", begin) and _repeats(below[1:]) and not below[1][0].startswith("#"):
        begin += 1  # the mark of a comment before the names
    elif titles and _is_names(titles[-1], delimiter, width) and _repeats(below):
        header = titles.pop().lstrip("# ")
        text = header + "\n" + text[begin:]
        begin = 0
    elif titles and not (titles[0].startswith("#") or width > 2 or not skipped[-1]):
        return text, []
    if not titles:
        return text[begin:], []
    return text[begin:], [_left_out(path, "above", titles, delimiter)]


def _left_out(path: Path, where: str, lines: Sequence[str], delimiter: str) -> Note:
    """Return a note on lines above or below a table, not counting empty ones."""
    given = [line for line in lines if line.strip(f'{delimiter}" ')]
    why = f"{plain(path.name)}: left out {where} the table: {plain(', '.join(given), 100)!r}"
    return Note(why, rows=len(given), kind="dropped")


def _below_empty_line(text: str, delimiter: str, width: int) -> int:
    """Return where the header begins, if it is below an empty line and lines with few values.

    Banks and statistical offices write names with a value each above their tables.
    """
    start, above, after_empty = 0, False, False
    for line, cells in islice(_first_lines(text, delimiter), _MOST_LINES):
        given = sum(map(bool, cells))
        if not given:
            after_empty = True
        elif 2 * given <= width:
            above, after_empty = True, False
        else:
            named = len(cells) == width and given >= _MOSTLY * width
            header = above and after_empty and named and not _NUMBER.match(cells[0])
            return start if header else 0
        start += len(line)
    return 0


def _first_lines(text: str, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the first lines with their ends, and the cells of each."""
    begin = 0
    while begin < len(text) and (line := _LINE.match(text, begin)):
        cells = next(csv.reader([line[0].rstrip("\r\n")], delimiter=delimiter), [])
        yield line[0], [cell.strip() for cell in cells]
        begin = line.end()


def without_footer(path: Path, text: str, delimiter: str) -> tuple[str, list[Note]]:
    """Return the text without lines of one cell below its table and an empty line, and a note.

    Such are sources, dates, and what databases write about the number of rows.
    """
    lines = text[-_TAIL:].splitlines(keepends=True)
    count = next((i for i, line in enumerate(reversed(lines)) if delimiter in line), 0)
    rows, below = lines[: len(lines) - count], lines[len(lines) - count :]
    words = [line for line in below if line.strip()]
    if not words or len(words) > _MOST_BELOW or not all(map(_LETTER.search, words)):
        return text, []
    apart = not below[0].strip() and all(row.strip() for row in rows[-2:])
    table = text[: len(text) - sum(map(len, below))]
    if not apart or any('"' in line for line in words) or table.count('"') % 2:
        return text, []
    return table, [_left_out(path, "below", list(map(str.strip, words)), delimiter)]


def _is_title(line: str, delimiter: str, width: int) -> bool:
    comment = _COMMENT.match(line) or (line.startswith("#") and line.count(delimiter) + 1 != width)
    return bool(comment) or delimiter not in line.rstrip(delimiter)


def _is_names(line: str, delimiter: str, width: int) -> bool:
    return line.startswith("#") and line.count(delimiter) + 1 == width


def _repeats(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is one of values: a cell of it is a number or occurs again below."""
    if not rows:
        return False
    return any(
        cell.replace(".", "", 1).lstrip("-").isdecimal() or (cell and cell in below)
        for cell, below in zip(rows[0], zip(*rows[1:], strict=False), strict=False)
    )


def further_headers(rows: Sequence[Sequence[str]]) -> int:
    """Return the number of rows below the header that are names or units rather than values.

    In none of the columns that are mostly numbers does such a row have one.
    """
    numeric = map(mostly_numbers, zip(*rows[1:], strict=False))
    columns = [i for i, kind in enumerate(numeric) if kind]
    if not columns:
        return 0
    count, named = 0, False
    for row in rows[1:_MOST_HEADERS]:
        cells = [row[i].strip() for i in columns if i < len(row)]
        given = [cell for cell in cells if cell.lower() not in _MISSING]
        if any(re.search(r"\d", cell) for cell in given):
            break
        if not given and not (named and any(cell.strip() for cell in row)):
            break
        named = named or bool(given)
        count += 1
    alone = len(columns) == 1 and any(
        cell and cell in [row[i] for row in rows[1 + count :] if i < len(row)]
        for row in rows[1 : 1 + count]
        for i, cell in enumerate(row)
    )
    return 0 if alone or not named else count


def joined_names(headers: Sequence[Sequence[str]]) -> list[str]:
    """Return the names of several header rows together, where those of the first repeat.

    Empty where they do not, or where names repeat all the same. A last row with a first cell alone
    names the index, as pandas writes it.
    """
    first, *others = ([cell.strip() for cell in row] for row in headers)
    given = [name for name in first if name]
    if len(given) == len({*given}) or any(len(row) != len(first) for row in others):
        return []
    index = others[-1][0] if others[-1][0] and not any(others[-1][1:]) else ""
    columns = zip(first, *(others[:-1] if index else others), strict=True)
    names = [" ".join(filter(None, parts)) for parts in columns]
    names[0] = index or names[0]
    return names if len({*names}) == len(names) and all(names) else []


def without_lines(text: str, first: int, count: int) -> str:
    """Return the text without ``count`` of its lines that are not empty, after ``first`` others."""
    ends = []
    for line in _LINE.finditer(text):
        if line[0].strip():
            ends.append(line.end())
        if len(ends) == first + count:
            break
    return text[: ends[first - 1] if first else 0] + text[ends[-1] :]


def line_of(cells: Sequence[str], delimiter: str) -> str:
    """Return cells as a line of a CSV file."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerow(cells)
    return text.getvalue()


def without_repeated_header(path: Path, text: str) -> tuple[str, list[Note]]:
    """Return the text without rows that repeat its header, as files have that were put together."""
    header = next((line[0] for line in _LINE.finditer(text) if line[0].strip()), "")
    header = header.rstrip("\r\n")
    if '"' in header or f"\n{header}" not in text:
        return text, []
    again = re.compile(rf"(?<=\n){re.escape(header)}(?:\r?\n|$)")
    start = text.index(header) + len(header)
    rest, count = again.subn("", text[start:])
    if not count:
        return text, []
    what = "1 row that repeats" if count == 1 else f"{count:,} rows that repeat"
    why = f"{plain(path.name)}: left out {what} the header"
    return text[:start] + rest, [Note(why, rows=count, kind="dropped")]


def without_total(path: Path, table: pa.Table, decimal: str = "") -> tuple[pa.Table, list[Note]]:
    """Return the table without a last row of sums, which its words and numbers show.

    ``decimal`` is the decimal mark of the file, where it is known.
    """
    if table.num_rows <= _FEW_ROWS:
        return table, []
    last = table.slice(table.num_rows - 1).to_pylist()[0] if table.num_columns else {}
    words = [v for v in last.values() if isinstance(v, str) and TOTAL.fullmatch(v.strip())]
    if not words:
        return table, []
    rest = table.slice(0, table.num_rows - 1)
    row = f"{plain(path.name)}: the last row, {plain(words[0], 40)!r},"
    if any(_ends_in_sum(column, decimal) for column in table.columns):
        return rest, [Note(f"{row} has sums of the others and is left out", rows=1, kind="dropped")]
    return table, [Note(f"{row} may be a sum of the others; it is used like them", rows=1)]


def _ends_in_sum(column: pa.ChunkedArray, decimal: str) -> bool:
    """Return whether the last of the numbers is the sum of the others."""
    *others, total = numbers(column, number_format_of(column, decimal))
    together = float(np.nansum(others))
    return together != 0 and bool(abs(together - total) <= _ROUNDED * abs(together))
