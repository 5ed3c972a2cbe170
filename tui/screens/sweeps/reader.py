"""A sweep as read from its directory while it is running."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.space import Dimension
from engine.sweep.table import SweepTable


@dataclass(frozen=True)
class Opened:
    """The configuration of the sweep, and the dimensions of its search space."""

    config: SweepConfig
    dimensions: Sequence[Dimension]


@dataclass(frozen=True)
class Trials:
    """The sweep's trials so far."""

    table: SweepTable
    running: bool


class SweepReader:
    """Reads the configuration once, and the trials again and again."""

    def __init__(self, sweep: SweepDirectory) -> None:
        self._sweep = sweep
        self._opened = False
        self._last: Trials | None = None

    def read(self) -> Iterator[Opened | Trials]:
        """Yield the configuration first, and the trials if they changed."""
        if not self._opened:
            config = self._sweep.config()
            self._opened = True
            yield Opened(config, config.dimensions())
        running = self._sweep.running()  # checked before reading, to see the end
        trials = Trials(self._sweep.table(), running)
        if trials != self._last:
            self._last = trials
            yield trials
