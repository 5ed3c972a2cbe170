"""Pictures of single cases of a run's results, such as the forecasts of many series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.reports.views import Cell, View


@dataclass(frozen=True, slots=True)
class Explained:
    """The input of an explanation of a case, beside its picture."""

    row: Mapping[str, Any] = field(default_factory=dict)
    """The inputs by column, as JSON values; empty for an image."""
    target: str = ""
    """The output that is explained first; empty for the likeliest."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case as read back."""

    view: View
    explained: Explained | None
    """``None`` for what has no explanation."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Cases as rows of a table, the worst first, each with a view of its own."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    views: Sequence[View]
    """One view a row."""
    total: int
    """Number of cases, of which there may be more than rows."""
    explained: Sequence[Explained] = ()
    """One a row, where predictions can be explained."""


@dataclass(frozen=True, slots=True)
class GalleryList:
    """The table of a gallery as read back, without its views."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    places: Sequence[int]
    """For each row, the byte in the file at which its view begins."""
    total: int
