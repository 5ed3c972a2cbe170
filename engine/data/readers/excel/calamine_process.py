"""A process that prints the sheets of a workbook, or the cells of one, as lines of JSON.

    python -m engine.data.readers.excel.calamine_process WORKBOOK [SHEET]

A native library reads here what comes from elsewhere, so memory and time are limited, and a fault
ends this process alone. Without a sheet, each line is a sheet: its name, whether it is hidden, and
whether it has cells. With one, the first line has the merged ranges, each further one a row: its
number, and for each cell with a value its column, kind and text.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from engine.data.readers.excel.formats import plain_number

_BYTES, _SECONDS = 4 << 30, 900
_LONG = re.compile(r"PT(\d+)H(\d\d)M(\d\d(?:\.\d+)?)S")
"""A time of 24 hours or more, which ``.ods`` has for times of day and durations alike."""
LOCKED, UNREADABLE = 3, 4
"""Exit statuses: the workbook has a password, or cannot be read for the reason on stderr."""


def main(arguments: Sequence[str]) -> int:
    """Print what is asked for; returns the exit status."""
    _limit(resource.RLIMIT_AS, _BYTES)
    _limit(resource.RLIMIT_CPU, _SECONDS)
    try:
        book = _opened(arguments[0])
        lines = _sheets(book) if len(arguments) == 1 else _cells(book, arguments[1])
        for line in lines:
            print(json.dumps(line))  # noqa: T201 — the answer
    except PasswordError:
        return LOCKED
    except (CalamineError, OSError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201 — the reason
        return UNREADABLE
    return 0


def _opened(path: str) -> CalamineWorkbook:
    """Return a workbook by its content; only by its suffix is it told why one cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return CalamineWorkbook.from_filelike(file)
    except CalamineError:
        return CalamineWorkbook.from_path(path)


def _limit(kind: int, most: int) -> None:
    """Lower a limit of this process, as far as the system has it."""
    soft, hard = resource.getrlimit(kind)
    given = [limit for limit in (soft, hard, most) if limit != resource.RLIM_INFINITY]
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (min(given), hard))


def _sheets(book: CalamineWorkbook) -> Iterator[list[Any]]:
    for sheet in book.sheets_metadata:
        if sheet.typ != SheetTypeEnum.WorkSheet:
            continue
        cells = book.get_sheet_by_name(sheet.name)
        yield [sheet.name, sheet.visible != SheetVisibleEnum.Visible, cells.start is not None]


def _cells(book: CalamineWorkbook, name: str) -> Iterator[list[Any]]:
    sheet = book.get_sheet_by_name(name)
    yield [[*first, *last] for first, last in sheet.merged_cell_ranges or ()]
    rows = list(_rows(sheet))
    lasting = {column for _, cells in rows for column, kind, _ in cells if kind == "duration"}
    for number, cells in rows:
        yield [number, [_lasting(*cell) if cell[0] in lasting else cell for cell in cells]]


def _lasting(column: int, kind: str, text: str) -> tuple[int, str, str]:
    """Return a cell of a column with durations, in which a time of day is one, too."""
    if kind != "time":
        return column, kind, text
    hours, minutes, seconds = map(int, text.split(":"))
    return column, "duration", str(hours * 3600 + minutes * 60 + seconds)


def _rows(sheet: CalamineSheet) -> Iterator[tuple[int, list[tuple[int, str, str]]]]:
    begin = sheet.start[1] if sheet.start else 0
    for number, row in enumerate(sheet.iter_rows()):
        shown = ((column, *_shown(value)) for column, value in enumerate(row, begin))
        if cells := [cell for cell in shown if cell[2].strip()]:
            yield number, cells


def _shown(value: Any) -> tuple[str, str]:
    """Return the kind of a value, and its text: dates as ISO 8601, durations in seconds."""
    match value:
        case bool():
            return "truth", "true" if value else "false"
        case int() | float():
            return "number", plain_number(float(value))
        case datetime():
            return "date", value.isoformat(" ")
        case date():
            return "date", value.isoformat()
        case time():
            return "time", value.isoformat("seconds")
        case timedelta():
            return "duration", plain_number(round(value.total_seconds(), 3))
    if long := _LONG.fullmatch(value):
        hours, minutes, seconds = map(float, long.groups())
        return "duration", plain_number(hours * 3600 + minutes * 60 + seconds)
    return "text", str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
