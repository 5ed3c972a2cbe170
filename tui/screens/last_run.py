"""The run that a screen showed last, for the cursor of the list of runs."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from textual.app import App

_LAST: WeakKeyDictionary[App[object], str] = WeakKeyDictionary()


def leave(app: App[object], run: str) -> None:
    """Note that the list of runs is to begin at this run."""
    _LAST[app] = run


def shown(app: App[object]) -> str:
    """Return the run that was noted and not taken yet; empty for none."""
    return _LAST.get(app, "")


def take(app: App[object]) -> str:
    """Return the run that was noted, once; empty for none."""
    return _LAST.pop(app, "")
