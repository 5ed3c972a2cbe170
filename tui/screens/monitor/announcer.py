"""The progress in the terminal's title, and the end of the run on any screen."""

from __future__ import annotations

from textual.screen import Screen

from engine.errors import UserError
from engine.runs.status import State
from tui.screens.monitor.repaint import Repaint
from tui.screens.monitor.watcher import Watch
from tui.terminal.title import Title
from tui.widgets import run_panels
from tui.widgets.notify import complain, tell


class Announcer:
    """Notifies the user of one run, even while another screen is on top."""

    def __init__(self, screen: Screen[None], name: str, repaint: Repaint) -> None:
        self._screen = screen
        self._name = name
        self._repaint = repaint
        self._title = Title(screen.app)
        self._seen_running = False

    def restore_title(self) -> None:
        """Restore the terminal's title."""
        self._title.restore()

    def show_title(self, watch: Watch) -> None:
        """Show the progress in the terminal's title."""
        if watch.caught_up and self._repaint.due("title"):
            self._title.show(run_panels.title(self._name, watch.history, watch.state))

    def ended(self, watch: Watch) -> bool:
        """Return whether the run has ended since the last call; if so, notify the user."""
        if not watch.caught_up or not watch.state.ended:
            self._seen_running = self._seen_running or watch.caught_up
            return False
        ended, self._seen_running = self._seen_running, False
        if ended:
            self._notify(watch)
        return ended

    def _notify(self, watch: Watch) -> None:
        self._screen.app.bell()
        text = run_panels.ending(self._name, watch.history, watch.state)
        if watch.state in (State.FAILED, State.LOST):
            complain(self._screen, UserError(text))
        else:
            tell(self._screen, text)
