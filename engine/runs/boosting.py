"""The gradient boosting that a run of a table is compared with, where it keeps it."""

from __future__ import annotations

from engine.runs.directory import RunDirectory

BOOSTING = "boosting.safetensors"


def keeps_boosting(run: RunDirectory) -> bool:
    """Return whether the trees can be exported."""
    return (run.path / BOOSTING).is_file()
