"""Marks of progress of a training process, from which others see that it hangs.

Each process counts its steps in a file of its own: one when the gradients of an update are computed
and one when it is made. Processes wait for each other between steps, so of several that hang, the
one with the fewest lags behind. Batches of evaluations, which the main process may see alone, are
signs of life and no steps. What is written to disk has a limit of its own, and so do metrics.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from engine.files.safe_json import loads

_FACTOR = 20.0
"""Times the usual duration of an update that may pass without progress."""
_FIRST = 6.0
"""Times the shortest limit that may pass before the first update."""
_SLOWEST = 1e6
"""Bytes that a slow disk writes in a second."""
_SMOOTHING = 0.9
_LENGTH = 80
_ASLEEP_SECONDS = 20.0
"""Time between two looks after which the watch itself was stopped."""


class ProgressMarks:
    """The marks of this process; without ``path`` they are not written."""

    def __init__(self, path: Path | None = None, minutes: float = 0.0) -> None:
        """``minutes`` is the shortest limit; for 0 there is none."""
        self._path = path
        self._shortest = minutes * 60
        self._file: int | None = None
        self._steps = self._signs = 0
        self._usual: float | None = None
        self._updated = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Keep the file within the block. Raises ``OSError``."""
        if self._path is None:
            yield
            return
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self.alive()
            yield
        finally:
            os.close(self._file)
            self._file = None
            self._path.unlink(missing_ok=True)

    def alive(self) -> None:
        """Give a sign of life."""
        self._signs += 1
        self._write(self._limit())

    def computed(self) -> None:
        """Count the gradients of an update."""
        self._steps += 1
        self.alive()

    def updated(self) -> None:
        """Count an update, and learn how long one usually takes."""
        now = time.monotonic()
        if self._updated:
            took = now - self._updated
            usual = took if self._usual is None else self._usual
            self._usual = _SMOOTHING * usual + (1 - _SMOOTHING) * took
        self._updated = now
        self.computed()

    def unlimited(self) -> AbstractContextManager[None]:
        """Let the block take any time: a pause."""
        return self._limited(0.0)

    def computing(self) -> AbstractContextManager[None]:
        """Let the block take half an hour with the usual ``minutes``: metrics, which give no signs
        of life."""
        return self._limited(_FIRST * self._shortest)

    def writing(self, size: int) -> AbstractContextManager[None]:
        """Let the block take as long as ``size`` bytes take on a slow disk, at least half an hour
        with the usual ``minutes``: a checkpoint or an export, which give no signs of life."""
        slowest = max(_FIRST * self._shortest, size / _SLOWEST)
        return self._limited(slowest if self._shortest else 0.0)

    @contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        self._write(seconds)
        try:
            yield
        finally:
            self._updated = 0.0
            self.alive()

    def _limit(self) -> float:
        usual = _FIRST * self._shortest if self._usual is None else _FACTOR * self._usual
        return max(self._shortest, usual) if self._shortest else 0.0

    def _write(self, limit: float) -> None:
        if self._file is not None:
            text = f"[{self._steps}, {self._signs}, {limit:.3f}]"
            os.pwrite(self._file, text.ljust(_LENGTH).encode(), 0)


class StallWatch:
    """Watches the marks of all processes of a run."""

    def __init__(self, files: Path, pattern: str) -> None:
        self._folder = files
        self._pattern = pattern
        self._seen: dict[str, tuple[int, int, float]] = {}
        self._left: dict[str, tuple[int, int, float]] = {}
        """Marks of processes that ended without removing them, as those of a machine that left."""
        self._changed = self._polled = time.monotonic()

    def stalled(self) -> str | None:
        """Return the name of the file with the fewest steps when none has changed for too long.

        It is empty if all have the same number.
        """
        now, before, self._polled = time.monotonic(), self._polled, time.monotonic()
        if now - before > _ASLEEP_SECONDS:
            self._changed = now  # the machine or this process was stopped, too
        seen = {name: mark for name, mark in self._read() if self._left.get(name) != mark}
        if seen != self._seen:
            self._seen, self._changed = seen, now
        limits = [limit for *_, limit in seen.values()]
        if not limits or not all(limits) or now - self._changed <= max(limits):
            return None
        steps = {name: count for name, (count, *_) in seen.items()}
        last = min(steps, key=steps.__getitem__)
        return last if steps[last] < max(steps.values()) else ""

    def restart(self) -> None:
        """Begin anew, with other processes."""
        self._left = dict(self._read())
        self._seen, self._changed = {}, time.monotonic()

    @property
    def limit(self) -> float:
        """The limit, in seconds."""
        return max((limit for *_, limit in self._seen.values()), default=0.0)

    def _read(self) -> Iterator[tuple[str, tuple[int, int, float]]]:
        for path in self._folder.glob(self._pattern):
            with contextlib.suppress(OSError, ValueError, TypeError):
                steps, signs, limit = loads(path.read_bytes())
                yield path.name, (int(steps), int(signs), float(limit))
