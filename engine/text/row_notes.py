"""Sentences on rows of a split that name the first of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.runs.events import Log


@dataclass(frozen=True, slots=True)
class RowNote:
    """A sentence with the number of a row in it."""

    before: str
    row: int | None = None
    """Number of the row in its split, from 0; ``None`` where the sentence names none."""
    after: str = ""

    def named(self, number: int) -> str:
        """Return the sentence with a ``number`` from 0 for the row's own."""
        return self.before if self.row is None else f"{self.before}{number + 1:,}{self.after}"

    def __str__(self) -> str:
        return self.named(self.row or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLog(Log):
    """A message on rows, before they have the numbers that they have in their file."""

    kind: ClassVar[str] = "log"
    note: RowNote


def warn(note: RowNote) -> RowLog:
    """Return a note as a warning."""
    return RowLog(level="warning", message=str(note), note=note)
