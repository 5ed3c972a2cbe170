"""Explanations of predictions, for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.reports.views import View, read_view


@dataclass(frozen=True, slots=True)
class Explanation:
    """Views of what speaks for one output of a network."""

    target: str
    """The class, or whatever the output is."""
    targets: Sequence[str]
    """All that can be explained, the likeliest first."""
    method: str
    """Name of the method, with what it was applied to."""
    views: Sequence[View]

    def record(self) -> dict[str, Any]:
        """Return the explanation as JSON values."""
        return {
            "target": self.target, "targets": list(self.targets), "method": self.method,
            "views": [view.record() for view in self.views],
        }  # fmt: skip

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Explanation:
        """Return the explanation that :meth:`record` wrote; unknown views are left out."""
        views = [view for one in record["views"] if (view := read_view(one))]
        return cls(record["target"], record["targets"], record["method"], views)
