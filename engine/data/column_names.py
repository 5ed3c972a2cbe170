"""Columns by name, and the message for one that is missing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from engine.errors import DataError
from engine.files.sanitize import plain

ROW_NUMBERS = re.compile(r"__index_level_\d+__")
"""Names that pandas gives to the numbers of rows when it writes a file."""


def check_names(field: str, wanted: Iterable[str], names: Sequence[str]) -> None:
    """Raise :class:`DataError` for a column that a field names and the data lacks."""
    for name in wanted:
        if name not in names:
            raise DataError(no_column(field, name, names))


def no_column(field: str, wanted: str, names: Sequence[str]) -> str:
    """Return the message for a missing column, with the nearest name or all of them."""
    near = difflib.get_close_matches(wanted, names, 1)
    some = ", ".join(plain(name, 40) for name in names[:20])
    hint = f"did you mean {plain(near[0], 60)}?" if near else f"there is {some}."
    if list(names) == ["text"]:
        hint = "there is text alone. data.format=csv reads a text file as a table."
    return f"{field}: the data has no column {plain(wanted, 60)!r}; {hint}"
