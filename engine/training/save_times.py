"""The times at which checkpoints are due."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.config.train import TrainConfig
from engine.training.checkpoints.state import Position

SAVING_SHARE = 0.02
"""Share of the time that timed checkpoints take at most."""


class SaveTimes:
    """The times of checkpoints: every few updates, or every few minutes."""

    def __init__(self, config: TrainConfig, position: Position) -> None:
        self._config = config
        self._position = position
        self._saving_seconds = 0.0
        self.restart()

    def restart(self) -> None:
        """Begin an interval between checkpoints."""
        self._saved = time.perf_counter()

    def due(self) -> bool:
        """Return whether a checkpoint is due after the updates so far."""
        every = self._config.save_steps
        if every and self._position.step % every == 0:
            return True
        # A state that takes long to save is saved less often.
        pause = max(self._config.save_minutes * 60, self._saving_seconds / SAVING_SHARE)
        return time.perf_counter() - self._saved >= pause

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Measure how long a checkpoint takes, and begin the next interval after it."""
        begin = time.perf_counter()
        yield
        self.restart()
        self._saving_seconds = self._saved - begin
