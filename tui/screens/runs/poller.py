"""Read the history in a thread, so that a screen of thousands of runs opens and stays quick."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.runs.listing import FIRST, RunList, RunSummary

REFRESH_SECONDS = 1.0
_PAINT_SECONDS = 0.5
"""Longest time for which reading waits until the first rows are seen."""
_BREATH, _BREATH_SECONDS = 100, 0.001
"""After so many rows the thread that reads lets the screen have its turn."""

Show = Callable[[Sequence[RunSummary]], None]


class Reading:
    """The runs of a folder, read again and again while somebody looks at them."""

    def __init__(self, folder: Path) -> None:
        self._list = RunList(folder)
        self._rows: Sequence[RunSummary] = ()
        self.complete = False
        """Whether all runs were read once."""
        self._looking = threading.Event()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._painted = threading.Event()

    def pause(self) -> None:
        """Nobody looks: nothing needs to be read."""
        self._looking.clear()

    def go_on(self) -> None:
        """Somebody looks."""
        self._looking.set()
        self._wake.set()

    def hurry(self) -> None:
        """Something was changed: read at once, if somebody looks."""
        self._wake.set()

    def end(self) -> None:
        """Let :meth:`follow` return at once."""
        self._ended.set()
        self.go_on()

    def painted(self) -> None:
        """The first rows are seen: the rest is read."""
        self._painted.set()

    def follow(self, show: Show) -> None:
        """Give ``show`` the rows whenever they have changed, until :meth:`end`.

        Meant for a thread of its own. Raises :class:`~engine.errors.RunError` for the folder only.
        """
        while not self._ended.is_set():
            self._looking.wait()
            self._wake.clear()
            begin = time.monotonic()
            self._read(show)
            took = time.monotonic() - begin
            self._wake.wait(max(REFRESH_SECONDS, 5 * took))

    def _read(self, show: Show) -> None:
        rows: list[RunSummary] = []
        for row in self._list.read():
            rows.append(row)
            if len(rows) == FIRST and not self.complete:
                show(list(rows))
                self._painted.wait(_PAINT_SECONDS)
            if len(rows) % _BREATH == 0:
                time.sleep(_BREATH_SECONDS)
            if self._ended.is_set():
                return
        changed = not self.complete or rows != self._rows
        if not self.complete and len(rows) > FIRST:
            # What thousands of rows are made of stays: looking through it for garbage, again and
            # again, would let a key wait for a tenth of a second.
            gc.freeze()
        self.complete, self._rows = True, rows
        if changed:
            show(rows)
        self._list.save()
