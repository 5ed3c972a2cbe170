"""Lines of a CSV file that are not rows of its table: titles, comments, further header rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engine.errors import DataError
from engine.files.sanitize import plain

_SEPARATOR = re.compile(r'"?sep=(.)"?[^\S\r\n]*\r?\n', re.IGNORECASE)
"""The first line of a file that Excel is to open."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
_MOSTLY = 0.8
"""Share of the rows that have as many cells as the table."""
_MOST_LINES = 50
"""More lines than this above a table are none of titles."""
_MOST_HEADERS = 5
_MISSING = ("", "?", "-", "na", "n/a", "nan", "null", "none")
_WIDE = 0.3
"""Share of NUL characters that shows an encoding of two bytes a character."""


def clean_text(path: Path, text: str) -> tuple[str, str, list[str]]:
    """Return the text without marks that are no characters of it, its delimiter, and notes.

    The delimiter is the one of a first line ``sep=;``, or empty. Raises :class:`DataError` for a
    text of another encoding.
    """
    notes, name = [], plain(path.name)
    if zeros := text.count("\0"):
        if zeros > _WIDE * len(text):
            raise DataError(
                f"{name} is not UTF-8: every other character is NUL.",
                "Set data.encoding to utf-16, or save the file as UTF-8.",
            )
        stripped = text.rstrip("\0\r\n") if text.rstrip("\r\n").endswith("\0") else text
        if len(stripped) < len(text):
            notes.append(
                f"{name}: {len(text) - len(stripped):,} NUL characters at the end are left out"
            )
            text = stripped
        if left := text.count("\0"):
            notes.append(f"{name}: {left:,} NUL characters are within cells")
    if "\n\ufeff" in text:
        count = text.count("\n\ufeff")
        notes.append(f"{name}: {count:,} byte order marks within the file are left out")
        text = text.replace("\n\ufeff", "\n")
    if (first := _SEPARATOR.match(text)) is None:
        return text, "", notes
    return text[first.end() :], first[1], notes


def without_titles(
    path: Path, text: str, delimiter: str, rows: Sequence[Sequence[str]]
) -> tuple[str, list[str]]:
    """Return the text from the header on, with a note on the lines above that are left out.

    ``rows`` are the first ones. Lines above are comments, or have fewer cells than nearly all rows.
    """
    counts = Counter(map(len, rows))
    width, found = counts.most_common(1)[0]
    if width < 2 or found < _MOSTLY * counts.total():
        return text, []
    begin, skipped = 0, []
    while len(skipped) < _MOST_LINES and (line := _LINE.match(text, begin)) and line[0]:
        if '"' in line[0] or not _is_title(line[0].strip(), delimiter, width):
            break
        skipped.append((begin, line[0].strip()))
        begin = line.end()
    if not any(title for _, title in skipped):
        return text, []
    start, last = skipped[-1]
    header = last.lstrip("#").strip()
    below = rows[len([1 for _, title in skipped if title]) :]
    if last.startswith("#") and header.count(delimiter) + 1 == width and _repeats(below):
        return header + text[start + len(last) :], []
    titles = [title for _, title in skipped if title]
    count = f"{len(titles):,} lines" if len(titles) > 1 else "1 line"
    return text[begin:], [
        f"{plain(path.name)}: {count} above the table, {plain(titles[0], 60)!r}, are left out"
    ]


def _is_title(line: str, delimiter: str, width: int) -> bool:
    return line.startswith("#") or line.count(delimiter) + 1 < width or not line.strip(delimiter)


def _repeats(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is one of values: a cell of it is a number or occurs again below."""
    if not rows:
        return False
    return any(
        cell.replace(".", "", 1).lstrip("-").isdecimal() or (cell and cell in below)
        for cell, below in zip(rows[0], zip(*rows[1:], strict=False), strict=False)
    )


def further_headers(rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> int:
    """Return the number of rows below the header that are names or units rather than values.

    ``numeric`` tells the columns that are mostly numbers: in none of them does such a row have one.
    """
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


def without_lines(text: str, first: int, count: int) -> str:
    """Return the text without ``count`` of its lines that are not empty, after ``first`` others."""
    ends = []
    for line in _LINE.finditer(text):
        if line[0].strip():
            ends.append(line.end())
        if len(ends) == first + count:
            break
    return text[: ends[first - 1]] + text[ends[-1] :]


def without_repeated_header(path: Path, text: str) -> tuple[str, list[str]]:
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
    what = "1 row repeats" if count == 1 else f"{count:,} rows repeat"
    return text[:start] + rest, [f"{plain(path.name)}: {what} the header and is left out"]
