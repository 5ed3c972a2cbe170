"""Summary of the data for the user, before and during a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.reports.note import Note


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """One column of the data."""

    name: str
    type: str
    """The detected type: numeric, categorical, date, text, image, list or ignored."""
    role: str
    """Role in the task: input, target, text, time …; or the reason why it is left out."""
    missing: int = 0
    distinct: int = 0
    example: str = ""


@dataclass(frozen=True, slots=True)
class DataSummary:
    """A data set as a task sees it; goes into the ``data`` event and onto the data screen."""

    source: str
    rows: Mapping[str, int]
    """Rows of each split that are used."""
    columns: tuple[ColumnSummary, ...] = ()
    classes: Mapping[str, int] | None = None
    """Training rows of each class, the most frequent first, for tasks that have classes."""
    facts: Mapping[str, str] | None = None
    """Anything else worth a line: image size, vocabulary, frequency, longest text."""
    notes: tuple[Note, ...] = ()
    skips: tuple[Mapping[str, Any], ...] = ()
    """Rows left out: ``reason``, ``count``, ``example``."""

    samples: tuple[tuple[tuple[str, bool], ...], ...] = ()
    """Training rows as a language model reads them: texts, each with whether it is learned."""

    def with_notes(self, *notes: Note) -> DataSummary:
        """Return the summary with notes behind those that it has."""
        return replace(self, notes=(*self.notes, *notes))

    def record(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return asdict(self)
