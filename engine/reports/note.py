"""A note for the user: what in the data was converted, left out, or is in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["lost", "dropped", "doubt", "converted"]
"""A whole split or rows that are left out, a choice that may be wrong, or a plain conversion."""


@dataclass(frozen=True, slots=True)
class Note:
    """One conversion, omission or doubt."""

    why: str
    """A sentence on what was found and done."""
    column: str = ""
    """The column, file or split that it is about."""
    read_as: str = ""
    """The reading that was chosen."""
    rows: int | None = None
    """Number of rows or values concerned."""
    change: str = ""
    """The setting that changes it, such as ``data.delimiter`` or ``task.tags``."""
    kind: Kind = "doubt"
