"""The tabs of the results: views of one topic share a tab, whose name is short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.reports.views import Lines, View

_TOPICS = {
    "Bands": "Bands",
    "Coverage of the bands": "Bands",
    "Share inside the bands by step": "Bands",
    "Errors by target": "By target",
    "RMSE by step": "By step",
    "Errors by step": "By step",
}
_BEGINNINGS = {
    "Errors by series": "By series",
    "Errors at cut-offs": "Cut-offs",
    "Importance of columns": "Importance",
}
_FORECASTS = ("Forecast of ", "Worst forecast of ")


def topics(views: Iterable[View], listed: bool) -> dict[str, list[View]]:
    """Return the views by the title of their tab.

    Pictures of single forecasts are left out where all are ``listed`` in a gallery.
    """
    tabs: dict[str, list[View]] = {}
    for view in views:
        if not (listed and isinstance(view, Lines) and view.title.startswith(_FORECASTS)):
            tabs.setdefault(_topic(view.title), []).append(view)
    return tabs


def _topic(title: str) -> str:
    begun = (topic for start, topic in _BEGINNINGS.items() if title.startswith(start))
    return _TOPICS.get(title) or next(begun, title)


def is_empty(views: Sequence[View]) -> bool:
    """Return whether there is nothing to show in any of the views."""
    return all(any(not getattr(view, name, True) for name in ("rows", "items")) for view in views)
