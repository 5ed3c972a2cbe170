"""Start a run as a process of its own, which goes on when the one who started it is gone."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.config.run_config import RunConfig
from engine.errors import RunError
from engine.files.paths import runs_folder
from engine.processes.identity import ProcessIdentity
from engine.processes.signals import held_back
from engine.processes.spawn import spawn
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory, State


@dataclass(frozen=True)
class Handle:
    """A run that was started here."""

    run: RunDirectory
    process: subprocess.Popen[bytes]

    def wait(self, timeout: float | None = None) -> int:
        """The worker's exit status; raises ``subprocess.TimeoutExpired``."""
        return self.process.wait(timeout)

    def stop(self) -> None:
        """Ask the run to stop and keep its model."""
        control.send(self.run.control, Request(control.STOP))


def launch(config: RunConfig, folder: Path | None = None) -> Handle:
    """Make a run directory and start its worker; raises :class:`RunError`."""
    return start(RunDirectory.create(folder or runs_folder(), config))


def start(run: RunDirectory, environment: Mapping[str, str] | None = None) -> Handle:
    """Start a worker for a run that exists: a queued one, or one to go on with.

    It goes on when this process is gone, and gets ``environment`` on top of this process's own.
    Raises :class:`RunError`, also when somebody works on the run already.
    """
    # Held until the worker is noted: of several who start it at once, one does.
    with run.locked():
        if run.state() is State.RUNNING:
            raise RunError(f"Another process already works on the run {run.id}.")
        for request in control.take(run.control):
            del request  # what was asked of an earlier worker is not meant for this one
        try:
            path = str(run.path.absolute())
            with held_back():
                process = spawn("engine.launch.worker", [path], run.log, environment or {})
        except OSError as error:
            raise RunError(f"Cannot start the worker of {run.id}: {error.strerror}.") from error
        try:
            run.set_worker(ProcessIdentity.of(process.pid))
        except OSError as error:
            process.kill()  # nobody would know of it
            process.wait()
            raise RunError(f"Cannot write to the run {run.id}: {error.strerror}.") from error
    return Handle(run, process)
