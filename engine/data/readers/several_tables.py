"""The choice among the tables of a database or the sheets of a workbook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.data.readers.reading import ReadOptions
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted

_SHOWN = 12


def one_of(path: Path, what: str, names: Sequence[str], options: ReadOptions) -> str:
    """Return the name that ``data.table`` has, or the only one.

    Raises :class:`DataError` that lists the names where there are none or several to choose from.
    """
    wanted = options.table.strip()
    for name in names:
        if wanted == name.strip():
            return name
    if len(names) == 1 and (not wanted or options.later):
        return names[0]
    if not names:
        raise DataError(f"{plain(path.name)} has no {what} with rows.")
    shown = ", ".join(plain(name, 40) for name in names[:_SHOWN])
    shown += ", …" if len(names) > _SHOWN else ""
    if wanted:
        problem = f"{plain(path.name)} has no {what} {plain(wanted, 60)!r}."
        raise DataError(problem, f"data.table can be {shown}.")
    problem = f"{plain(path.name)} has {counted(len(names), what)}: {shown}."
    first = plain(names[0], 40)
    first = f'"{first}"' if " " in first else first
    raise DataError(problem, f"Choose one: data.table={first}.")
