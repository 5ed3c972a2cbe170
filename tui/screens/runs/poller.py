"""A thread that polls the history, so that a screen of thousands of runs stays responsive."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.runs.listing import FIRST, RunList, RunSummary

REFRESH_SECONDS = 1.0
_PAINT_SECONDS = 0.5
"""Longest time that reading waits for the first rows to be painted."""
_BREATH, _BREATH_SECONDS = 100, 0.001
"""The reading thread yields to the screen for this time after this many rows."""

Show = Callable[[Sequence[RunSummary]], None]


class Reading:
    """The runs of a folder, polled while the list is visible."""

    def __init__(self, folder: Path) -> None:
        self._list = RunList(folder)
        self._rows: Sequence[RunSummary] = ()
        self.complete = False
        """Whether all runs have been read once."""
        self._looking = threading.Event()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._painted = threading.Event()

    def pause(self) -> None:
        """Stop polling, as the list is hidden."""
        self._looking.clear()

    def go_on(self) -> None:
        """Continue polling, as the list is visible."""
        self._looking.set()
        self._wake.set()

    def hurry(self) -> None:
        """Read at once after a change, if the list is visible."""
        self._wake.set()

    def end(self) -> None:
        """Make :meth:`follow` return at once."""
        self._ended.set()
        self.go_on()

    def painted(self) -> None:
        """Read the rest, as the first rows are painted."""
        self._painted.set()

    def follow(self, show: Show) -> None:
        """Call ``show`` with the rows whenever they change, until :meth:`end`.

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
            # The objects of thousands of rows are long-lived: scanning them in each garbage
            # collection would delay keys by a tenth of a second.
            gc.freeze()
        self.complete, self._rows = True, rows
        if changed:
            show(rows)
        self._list.save()
