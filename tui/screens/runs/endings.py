"""Desktop notifications of the runs that end while the program is open, on whatever screen."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from textual.screen import Screen

from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.runs.status import State
from engine.runs.summary import RunSummary, summarize
from tui.format.numbers import number
from tui.screens import last_run
from tui.terminal.desktop import sequence
from tui.terminal.textual_private import write_sequence
from tui.widgets.run_feed import RunFeed

_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Ending:
    """A run that has ended."""

    name: str
    text: str


class Endings:
    """Polls the runs that were seen running; the end of each is reported once."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self._running: dict[str, RunDirectory] = {}
        self._feed = RunFeed(screen, self.read, _SECONDS, self._notify)

    def watch(self, rows: Iterable[RunSummary]) -> None:
        """Report the end of those of these runs that are running now."""
        for row in rows:
            if row.state is State.RUNNING:
                self._running.setdefault(row.id, row.run)

    def start(self) -> None:
        """Poll from now on, whether the screen is visible or not."""
        self._feed.poll()

    def end(self) -> None:
        """Stop the thread at once."""
        self._feed.end()

    def read(self) -> Iterator[Ending]:
        """Yield the runs that have ended since, in a thread."""
        self._watch_shown()
        for id, run in list(self._running.items()):
            state = run.status.state()
            if state is State.RUNNING:
                continue
            self._running.pop(id, None)
            if state.ended:  # else it was deleted, or put into the queue
                yield _ending(summarize(run))

    def _watch_shown(self) -> None:
        """Watch the run that another screen shows, which may have been started there."""
        id = last_run.shown(self._screen.app)
        if not id or id in self._running:
            return
        try:
            run = RunDirectory.open(runs_folder(), id)
            if run.status.state() is State.RUNNING:
                self._running[id] = run
        except UserError:
            return

    def _notify(self, ending: Ending) -> None:
        app = self._screen.app
        if getattr(app, "notifies", True):
            write_sequence(app, sequence(f"dltui {ending.name}", ending.text, os.environ))


def _ending(row: RunSummary) -> Ending:
    value = f", {row.metric} {number(row.value)}" if row.value is not None else ""
    return Ending(row.name, f"{row.state}{value}")
