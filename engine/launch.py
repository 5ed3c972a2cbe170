"""Start a run as a process of its own, which goes on when the one who started it is gone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psutil

from engine import control
from engine.config import RunConfig
from engine.control import Request
from engine.environment import worker_environment
from engine.errors import RunError
from engine.locations import runs_folder
from engine.process import ProcessIdentity
from engine.run_directory import RunDirectory


@dataclass(frozen=True)
class Handle:
    """A run that was started here."""

    run: RunDirectory
    process: subprocess.Popen[bytes]

    def wait(self, timeout: float | None = None) -> int:
        """The worker's exit status; raises ``subprocess.TimeoutExpired``."""
        return self.process.wait(timeout)

    def stop(self) -> None:
        """Ask the run to stop and keep what it has learned."""
        control.send(self.run.control, Request(control.STOP))


def launch(config: RunConfig, folder: Path | None = None) -> Handle:
    """Make a run directory and start its worker; raises :class:`RunError`."""
    return start(RunDirectory.create(folder or runs_folder(), config))


def start(run: RunDirectory) -> Handle:
    """Start a worker for a run that exists: a queued one, or one to go on with.

    The worker leads a session of its own with its streams on files, so that neither a closed
    terminal nor the end of this process reaches it.
    """
    for request in control.take(run.control):
        del request  # what was asked of an earlier worker is not meant for this one
    try:
        with _append(run.log) as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "engine.worker", str(run.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=worker_environment(),
            )
    except OSError as error:
        raise RunError(f"Cannot start the worker of {run.id}: {error.strerror}.") from error
    # One that has ended already says why in its log.
    with contextlib.suppress(psutil.NoSuchProcess):
        run.set_worker(ProcessIdentity.of(process.pid))
    return Handle(run, process)


def _append(path: Path) -> BinaryIO:
    """The file at ``path``, readable to its owner alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
