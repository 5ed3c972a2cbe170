"""Sentences on rows of a split that name the first of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.reports.note import Kind, Note
from engine.runs.events import Event, Log, Report


@dataclass(frozen=True, slots=True)
class RowNote:
    """A sentence with the number of a row in it."""

    before: str
    row: int | None = None
    """Number of the row in its split, from 0; ``None`` where the sentence names none."""
    after: str = ""
    rows: int | None = None
    """Number of rows or samples concerned."""
    kind: Kind = "doubt"
    change: str = ""
    """The setting that changes it."""

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


def of_split(
    split: str, report: Report, numbers: NDArray[np.int64] | None, notes: list[Note]
) -> Report:
    """Return a report that adds messages on rows to ``notes``, and names the split in warnings.

    ``numbers`` are those of the rows in their file, -1 where they were lost.
    """

    def report_named(event: Event) -> None:
        if isinstance(event, RowLog):
            notes.append(_note(event.note, split, numbers))
            return
        if isinstance(event, Log) and event.level == "warning":
            event = replace(event, message=f"{split}: {event.message}")
        report(event)

    return report_named


def _note(note: RowNote, split: str, numbers: NDArray[np.int64] | None) -> Note:
    number = -1 if note.row is None or numbers is None else int(numbers[note.row])
    text = str(note) if number < 0 else note.named(number)
    return Note(
        f"{split}: {text.removesuffix('.')}", rows=note.rows, change=note.change, kind=note.kind
    )
