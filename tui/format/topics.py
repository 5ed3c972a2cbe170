"""The tabs of the results: views of one topic share a tab, whose name is short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.reports.views import View

_TITLE = 28
"""Cells of the title of a tab."""
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
    "Reliability: ": "Reliability",
}
_LISTED = ("Forecast of ", "Worst forecast of ", "Worst mistakes", "Worst images")
"""Beginnings of the titles of what a gallery shows."""


def topics(views: Iterable[View], listed: bool) -> dict[str, list[View]]:
    """Return the views by the title of their tab.

    Single forecasts and mistakes are left out where all are ``listed`` in a gallery.
    """
    tabs: dict[str, list[View]] = {}
    for view in views:
        if not (listed and view.title.startswith(_LISTED)):
            tabs.setdefault(_topic(view.title), []).append(view)
    return tabs


def tab_title(title: str) -> str:
    """Return the first and the last words of a title, which distinguish it from others."""
    first, *rest = title.split(" ")
    if len(title) <= _TITLE or not rest:
        return title[:_TITLE]
    last = ""
    for word in reversed(rest):
        if len(f"{first} … {word} {last}".strip()) > _TITLE:
            break
        last = f"{word} {last}".strip()
    return f"{first} … {last}"[:_TITLE].strip()


def _topic(title: str) -> str:
    begun = (topic for start, topic in _BEGINNINGS.items() if title.startswith(start))
    return _TOPICS.get(title) or next(begun, title)


def is_empty(views: Sequence[View]) -> bool:
    """Return whether there is nothing to show in any of the views."""
    return all(any(not getattr(view, name, True) for name in ("rows", "items")) for view in views)
