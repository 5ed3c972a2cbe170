"""The state of a run as a sign, a word and a colour."""

from __future__ import annotations

from textual.content import Content

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
_PAUSED = ("‖ paused", "bold $warning")
RESUMABLE = (State.LOST, State.INTERRUPTED, State.STOPPED, State.FAILED)
"""States from which a run can be resumed."""


def last_known(shown: Content) -> Content:
    """Return the state of a run whose machine is not reachable, from what was known last."""
    return Content.styled(f"?{shown.plain[1:]}", "$foreground 60%")


def shown_state(state: State, paused: bool) -> tuple[str, str]:
    """Return sign and word of a state, and its style; a run may be ``paused`` while it runs."""
    return _PAUSED if paused and state is State.RUNNING else STATES[state]
