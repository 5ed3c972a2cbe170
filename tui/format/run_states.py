"""The state of a run as a sign, a word and a colour."""

from __future__ import annotations

from engine.runs.status import State

STATES: dict[State, tuple[str, str]] = {
    State.QUEUED: ("… queued", "$foreground 60%"),
    State.RUNNING: ("▶ running", "bold $success"),
    State.FINISHED: ("✓ finished", "$success"),
    State.STOPPED: ("■ stopped", "$warning"),
    State.FAILED: ("✗ failed", "$error"),
    State.INTERRUPTED: ("‖ interrupted", "$warning"),
    State.LOST: ("? lost", "$error"),
    State.IMPORTED: ("↓ imported", "$secondary"),
}
RESUMABLE = (State.LOST, State.INTERRUPTED, State.STOPPED, State.FAILED)
"""States from which a run can be resumed."""
