"""Pictures of single cases of a run's results, such as the forecasts of many series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.reports.views import Cell, View, json_values, read_view


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
    """Cases as rows of a table, each with a view of its own."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    views: Sequence[View]
    """One view a row."""
    total: int
    """Number of cases, of which there may be more than rows."""
    explained: Sequence[Explained] = ()
    """One a row, where predictions can be explained."""
    ranked: bool = True
    """Whether the worst case is the first; else they are in the order of the data."""

    def record(self) -> dict[str, Any]:
        """Return it as JSON values, without explanations."""
        return {
            "title": self.title,
            "columns": list(self.columns),
            "rows": json_values(self.rows),
            "views": [view.record() for view in self.views],
            "total": self.total,
            "ranked": self.ranked,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Gallery:
        """Read back what :meth:`record` returned; raises ``ValueError`` for unknown views."""
        views = [view for one in record["views"] if (view := read_view(one)) is not None]
        if len(views) != len(record["rows"]):
            raise ValueError("A gallery has a view a row.")
        return cls(**{**record, "views": views})

    def listed(self) -> GalleryList:
        """Return the table; the place of a case is the number of its row."""
        places = range(len(self.rows))
        return GalleryList(self.title, self.columns, self.rows, places, self.total, self.ranked)

    def case(self, place: int) -> Case | None:
        """Return the case of a row; ``None`` where there is none."""
        if not 0 <= place < len(self.views):
            return None
        return Case(self.views[place], self.explained[place] if self.explained else None)


@dataclass(frozen=True, slots=True)
class GalleryList:
    """The table of a gallery as read back, without its views."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    places: Sequence[int]
    """For each row, the byte in the file at which its view begins, or its number."""
    total: int
    ranked: bool = True
    """Whether the worst case is the first."""


class Cases(Protocol):
    """Cases by their places in a :class:`GalleryList`."""

    def case(self, place: int) -> Case | None:
        """Return a case; ``None`` where there is none."""
