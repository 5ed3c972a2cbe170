"""The runs of a comparison, followed while they grow."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from engine.runs.comparison import Comparison, compare
from engine.runs.directory import RunDirectory
from engine.runs.follower import Follower
from engine.runs.history import History
from tui.charts.chart import SERIES


class FollowedRun:
    """A run with its state so far; hold ``lock`` to read ``history``."""

    def __init__(self, run: RunDirectory, style: str, lock: threading.Lock) -> None:
        self.run = run
        self.style = style
        self.history = History()
        self._lock = lock
        self._events = Follower(run.events.path)

    def read(self) -> bool:
        """Read new events; returns whether there were any."""
        if not self.history.version:
            history = History()
            self._events.catch_up(history)
            with self._lock:
                self.history = history
            return bool(history.version)
        events = list(self._events.new())
        with self._lock:
            self.history.apply_all(events)
        return bool(events)


class FollowedRuns:
    """Several runs, each with a style of its own; hold ``lock`` to read any of them."""

    def __init__(self, runs: Sequence[RunDirectory]) -> None:
        """Follow the first of ``runs``, as many as there are styles."""
        self.lock = threading.Lock()
        pairs = zip(runs, SERIES, strict=False)
        self.all = [FollowedRun(run, style, self.lock) for run, style in pairs]
        self._compared = False

    def read(self) -> Iterator[FollowedRun | Comparison]:
        """Yield each run that has new events, then the comparison of all if anything changed.

        Raises :class:`UserError` for runs that cannot be compared.
        """
        changed = not self._compared
        for followed in self.all:
            if followed.read():
                changed = True
                yield followed
        if changed:
            comparison = compare([followed.run for followed in self.all])
            self._compared = True
            yield comparison
