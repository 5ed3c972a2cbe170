"""Desktop notifications of runs that end or stall while the program is open, on any screen."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from textual.screen import Screen

from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.runs.event_tail import EventTail
from engine.runs.events import Stalled
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
    """A run that has ended, or stalled."""

    name: str
    text: str


class _Watched:
    """A run that was seen running, and the events that it has written since."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self.state = State.RUNNING
        self._events = EventTail(run.events.path, _size(run))

    def read(self) -> Stalled | None:
        """Bring the state up to date; return the newest stall, if there was one since."""
        self.state = self.run.status.state()
        stalls = [each for each in self._events.new() if isinstance(each, Stalled)]
        return stalls[-1] if stalls else None


class Endings:
    """Polls the runs that were seen running; each stall and the end are reported once."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self._running: dict[str, _Watched] = {}
        self._feed = RunFeed(screen, self.read, _SECONDS, self._notify)

    def watch(self, rows: Iterable[RunSummary]) -> None:
        """Report the end of those of these runs that are running now."""
        for row in rows:
            if row.state is State.RUNNING and row.id not in self._running:
                self._running[row.id] = _Watched(row.run)

    def start(self) -> None:
        """Poll from now on, whether the screen is visible or not."""
        self._feed.poll()

    def end(self) -> None:
        """Stop the thread at once."""
        self._feed.end()

    def read(self) -> Iterator[Ending]:
        """Yield the runs that have ended or stalled since, in a thread.

        A run that ends by its stall is yielded once.
        """
        self._watch_shown()
        for id, watched in list(self._running.items()):
            stalled = watched.read()
            if watched.state is not State.RUNNING:
                self._running.pop(id, None)
            if stalled is not None:
                yield Ending(summarize(watched.run).name, f"stalled: {stalled.message}")
            elif watched.state.ended:  # else it was deleted, or put into the queue
                yield _ending(summarize(watched.run))

    def _watch_shown(self) -> None:
        """Watch the run that another screen shows, which may have been started there."""
        id = last_run.shown(self._screen.app)
        if not id or id in self._running:
            return
        try:
            run = RunDirectory.open(runs_folder(), id)
            if run.status.state() is State.RUNNING:
                self._running[id] = _Watched(run)
        except UserError:
            return

    def _notify(self, ending: Ending) -> None:
        app = self._screen.app
        if getattr(app, "notifies", True):
            write_sequence(app, sequence(f"dltui {ending.name}", ending.text, os.environ))


def _size(run: RunDirectory) -> int:
    """Return the bytes of the events so far; 0 where there are none."""
    try:
        return run.events.path.stat().st_size
    except OSError:
        return 0


def _ending(row: RunSummary) -> Ending:
    value = f", {row.metric} {number(row.value)}" if row.value is not None else ""
    return Ending(row.name, f"{row.state}{value}")
