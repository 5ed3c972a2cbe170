"""The form of a new run with the configuration of another one."""

from __future__ import annotations

from textual.screen import Screen

from engine.errors import UserError
from engine.runs.directory import RunDirectory
from engine.runs.events import Failed
from tui.screens.registry import make_screen
from tui.widgets.notify import complain


def clone(screen: Screen[None], run: RunDirectory) -> None:
    """Open the form; that of a failed run shows the error message at its field."""
    try:
        values = run.config.read().values()
    except UserError as error:
        complain(screen, error)
        return
    _, last = run.status.standing()
    failure = last.message if isinstance(last, Failed) else ""
    screen.app.push_screen(make_screen("new run", values, "", None, failure))
