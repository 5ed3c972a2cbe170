"""Output of the commands: lines, tables and JSON on standard output, errors on standard error.

All text from outside passes here, and nothing in it reaches the terminal as a command.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from engine.files.sanitize import plain
from tui.format.cells import aligned, cell_len, cut, padded, widths

_LONGEST = 2000
_GAP = "  "
_PIPED = 120
"""Width of tables where no terminal limits it."""
_WIDEST = 8
"""Characters that one may become, to be visible."""


def line(text: object = "") -> None:
    """One line, out at once."""
    print(plain(text, _LONGEST), flush=True)


def text(content: str) -> None:
    """A whole text, as it is where a file or a program takes it."""
    if sys.stdout.isatty():
        for part in content.splitlines():
            print(plain(part, len(part) * _WIDEST))
    else:
        sys.stdout.write(content)
    sys.stdout.flush()


def width() -> int:
    """Return the width of the terminal, or that of tables in files and pipes."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPED


def complain(error: object) -> None:
    """Print an error, each line of it with the program's name in front."""
    for part in str(error).splitlines():
        print(f"dltui: {plain(part, _LONGEST)}", file=sys.stderr, flush=True)


def remark(text: str) -> None:
    """A line beside the output, on standard error."""
    print(plain(text, _LONGEST), file=sys.stderr, flush=True)


def as_json(value: Any) -> None:
    """A value for programs."""
    print(json.dumps(value, indent=2, allow_nan=False), flush=True)


def as_json_line(value: Any) -> None:
    """A record on a line of its own, for programs; nothing in it can move a cursor."""
    print(json.dumps(value, allow_nan=False), flush=True)


def facts(pairs: Mapping[str, object]) -> None:
    """Names and values, one pair a line; what is empty is left out."""
    kept = {name: value for name, value in pairs.items() if value not in ("", None)}
    width = max(map(cell_len, kept), default=0)
    for name, value in kept.items():
        line(f"{padded(name, width)}{_GAP}{value}")


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns under their headings; on a terminal, lines are cut at its edge."""
    cells = [[plain(cell, _LONGEST) for cell in row] for row in rows]
    columns = widths([headings, *cells])
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else _LONGEST
    for row in [[heading.upper() for heading in headings], *cells]:
        line(cut(aligned(row, columns, _GAP), limit))
