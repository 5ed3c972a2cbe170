"""Workbooks of other formats (``.xls``, ``.xlsb``, ``.ods``), which the library calamine reads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from engine.data.readers.excel.calamine_process import LOCKED, UNREADABLE
from engine.data.readers.excel.listed import ListedSheet
from engine.data.readers.excel.sheet import Cell, Merged, Sheet
from engine.data.readers.reading import INCOMPLETE
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.processes.environment import worker_environment

_PROCESS = "engine.data.readers.excel.calamine_process"


def other_sheets(path: Path) -> list[ListedSheet]:
    """Return the sheets of a workbook. Raises :class:`DataError`."""
    return [
        ListedSheet(name, hidden, partial(bool, cells), partial(_read, path, name))
        for name, hidden, cells in _asked(path)
    ]


def _read(path: Path, name: str) -> Sheet:
    merged, *rows = _asked(path, name)
    sheet = Sheet(name, merged=[Merged(*corners) for corners in merged])
    for number, cells in rows:
        sheet.rows[number] = {column: Cell(text, kind) for column, kind, text in cells}
    return sheet


def _asked(path: Path, *sheet: str) -> Sequence[Any]:
    """Return the lines that the process prints. Raises :class:`DataError`."""
    ended = subprocess.run(
        [sys.executable, "-P", "-m", _PROCESS, str(path.absolute()), *sheet],
        stdin=subprocess.DEVNULL, capture_output=True, env=worker_environment(), check=False,
    )  # fmt: skip
    match ended.returncode:
        case 0:
            return [json.loads(line) for line in ended.stdout.splitlines()]
        case status if status == LOCKED:
            raise DataError(f"{plain(path.name)} has a password.", "Save it without one.")
        case status if status == UNREADABLE:
            why = plain(ended.stderr.decode(errors="replace").strip()).rstrip(".")
            problem = f"{plain(path)} is not a readable workbook, or has a password: {why}."
            raise DataError(problem, INCOMPLETE)
    raise DataError(
        f"{plain(path)} cannot be read: it takes too much memory or time, or is damaged.",
        "Save it as .xlsx, or its sheet as CSV (UTF-8).",
    )
