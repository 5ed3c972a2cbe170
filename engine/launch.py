"""Start a run as a process of its own, which goes on when the one who started it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine import control
from engine.config import RunConfig
from engine.control import Request
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
        with run.log.open("ab", opener=_private) as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "engine.worker", str(run.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=_environment(),
            )
    except OSError as error:
        raise RunError(f"Cannot start the worker of {run.id}: {error.strerror}.") from error
    try:
        run.set_worker(ProcessIdentity.of(process.pid))
    except psutil.NoSuchProcess:
        pass  # it has ended already; its log says why
    return Handle(run, process)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _environment() -> dict[str, str]:
    """The worker finds this very copy of the engine, wherever it is started from."""
    root = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [root, inherited]))
    return os.environ | {
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TQDM_DISABLE": "1",
    }
