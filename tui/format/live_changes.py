"""Changes of a run while it trained, as texts."""

from __future__ import annotations

from engine.runs.history import History


def live_changes(history: History) -> list[str]:
    """Return the changes of the learning rate or the epochs, and resumptions, with their epoch."""
    return [f"epoch {change.epoch:.3g}: {change.text}" for change in history.changes]
