"""A note for the user: what in the data was converted, left out, or is in doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["dropped", "doubt", "converted"]


@dataclass(frozen=True, slots=True)
class Note:
    """One conversion, omission or doubt."""

    why: str
    """A sentence on what was found and done."""
    column: str = ""
    """The column, file or split that it is about."""
    read_as: str = ""
    """What it was taken for."""
    rows: int | None = None
    """Number of rows or values concerned."""
    change: str = ""
    """The setting that changes it, such as ``data.delimiter`` or ``task.tags``."""
    kind: Kind = "doubt"


def note_of(record: str | Mapping[str, Any]) -> Note:
    """Return a note of an event or an answer; older runs have sentences alone."""
    return Note(record) if isinstance(record, str) else Note(**record)
