"""The display of a run that another program made."""

from __future__ import annotations

from engine.runs.imported import ImportedRun

_FIRST = 8
"""Settings that are shown where there is little room."""


def imported_facts(run: ImportedRun) -> dict[str, str]:
    """Return where it came from, its settings, and what cannot be done with it."""
    settings = {name: str(value) for name, value in run.settings.items()}
    return {"imported": run.program, "source": run.source, **settings, "note": str(run.refusal)}


def imported_settings(run: ImportedRun) -> dict[str, str]:
    """Return where it came from, and the first of its settings."""
    settings = {name: str(value) for name, value in list(run.settings.items())[:_FIRST]}
    return {"imported": run.program, "model": run.model, **settings}
