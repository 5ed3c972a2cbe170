"""Import runs of other programs, and tell what became of them."""

from __future__ import annotations

from engine.files.paths import expanded, runs_folder
from engine.importers.history import import_runs
from tui.widgets.question import Answer

_MOST = 4
"""Runs whose notes are shown; the log of each has them too."""


def import_from(path: str) -> Answer:
    """Import all runs in a file or below a folder, in a thread. Raises ``UserError``."""
    outcomes = list(import_runs(expanded(path), runs_folder()))
    lines = [line for outcome in outcomes[:_MOST] for line in (outcome.text, *outcome.notes)]
    if len(outcomes) > _MOST:
        kept = sum(outcome.run is not None for outcome in outcomes)
        lines = [f"{kept} of {len(outcomes)} runs are imported; the log of each has its notes."]
        lines += [outcome.text for outcome in outcomes if outcome.run is None][:_MOST]
    return {"lines": lines}


def imported_lines(answer: Answer) -> list[str]:
    """Return the lines to show."""
    return list(answer["lines"])
