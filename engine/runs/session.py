"""The session of a run: everything that one process has of the run while it works on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.config.run_config import RunConfig
from engine.processes.signals import Termination
from engine.runs.directory import RunDirectory
from engine.runs.events import EventLog, Log


@dataclass
class RunSession:
    """A run's directory, its configuration, its events, and signals to this process."""

    run: RunDirectory
    config: RunConfig
    """Read and validated once a process; :meth:`settle` alone replaces it."""
    events: EventLog
    termination: Termination
    begun: float = field(default_factory=time.perf_counter)
    """When this process began to work on the run, by ``time.perf_counter``."""
    reports: list[Callable[[], None]] = field(default_factory=list)
    """Let the loggers take in what was written, and end them; each waits for some seconds."""

    def warn(self, text: str) -> None:
        """Write a warning for the user."""
        self.events.write(Log(level="warning", message=text))

    def close_reports(self) -> None:
        """Let all loggers take in the last events, for a process that exits at once."""
        for close in self.reports:
            close()

    def settle(self, changes: Sequence[str], write: bool) -> None:
        """Override the configuration by values found at the start of the run.

        If ``write``, from then on the directory has them too: they are the same on any machine.
        Raises ``OSError``.
        """
        before, self.config = self.config, self.config.override(changes)
        if write:
            self.run.config.settle(self.config, before)
