"""Start a run as a process of its own, which continues when its parent exits."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import RunError
from engine.files.paths import runs_folder
from engine.processes.identity import ProcessIdentity
from engine.processes.signals import held_back
from engine.processes.spawn import spawn
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory
from engine.runs.origin import require_own
from engine.runs.status import State

if TYPE_CHECKING:
    from engine.config.run_config import RunConfig


@dataclass(frozen=True)
class Handle:
    """A run that was started from here."""

    run: RunDirectory
    process: subprocess.Popen[bytes]

    def wait(self, timeout: float | None = None) -> int:
        """Return the worker's exit status; raises ``subprocess.TimeoutExpired``."""
        return self.process.wait(timeout)

    def stop(self) -> None:
        """Ask the run to stop and keep its model."""
        self.run.requests.send(Request(control.STOP))


def launch(
    config: RunConfig, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Handle:
    """Create a run directory and start its worker, see :func:`start`; raises :class:`RunError`."""
    return start(RunDirectory.create(folder or runs_folder(), config), environment)


def start(run: RunDirectory, environment: Mapping[str, str] | None = None) -> Handle:
    """Start a worker for an existing run: a queued one, or one to resume.

    It continues when this process exits. It gets ``environment`` on top of this process's own.
    Raises :class:`RunError`, also when another process works on the run already, and for a run of
    another machine.
    """
    require_own(run)
    # Held until the worker is recorded: of several that start it at once, only one succeeds.
    with run.lock.hold():
        if run.status.state() is State.RUNNING:
            raise RunError(f"Another process already works on the run {run.id}.")
        for request in run.requests.take():
            del request  # requests to an earlier worker are not meant for this one
        try:
            path = str(run.path.absolute())
            with held_back():
                process = spawn("engine.launch.worker", [path], run.log, environment or {})
        except OSError as error:
            raise RunError(f"Cannot start the worker of {run.id}: {error.strerror}.") from error
        try:
            run.status.set_worker(ProcessIdentity.of(process.pid))
        except OSError as error:
            process.kill()  # no record of it would exist
            process.wait()
            raise RunError(f"Cannot write to the run {run.id}: {error.strerror}.") from error
    return Handle(run, process)
