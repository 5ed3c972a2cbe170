"""Runs that wait for their turn: started by a process of its own, some at a time or one a GPU.

waiting/         a file for each run of the queue, in the order in which they came
worker.json      the process that starts them
heartbeat        touched every two seconds while it does (engine.processes.heartbeat)
lock             held while it does
stop             asks it to start no more, from where it cannot be seen
log.txt          what it prints

A run in the queue is an ordinary run, in the state *queued* until it is started. Everything is in
files: whoever starts the queue again, after a crash or a restart of the machine, goes on with it,
and runs that were ended by it resume from their checkpoints.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import RunError
from engine.files import atomic, safe_json
from engine.files.disk_space import if_full
from engine.files.paths import queue_folder, runs_folder
from engine.processes.heartbeat import Heartbeat, beating
from engine.processes.identity import ProcessIdentity
from engine.processes.lock import locked
from engine.processes.spawn import open_log, spawn
from engine.runs.directory import RunDirectory, is_deleted
from engine.runs.status import State

if TYPE_CHECKING:
    from engine.config.run_config import RunConfig

_START_SECONDS, _POLL_SECONDS = 10.0, 0.05
"""Time-out for a worker to begin."""
_counter = count()


@dataclass(frozen=True, slots=True)
class Entry:
    """A run of the queue."""

    path: Path
    run: RunDirectory
    starts: int = 0
    """Number of times the queue has started it."""
    device: str = ""
    """The GPU that it was started on, if the queue chose one."""

    def write(self) -> None:
        """Put it into its file. Raises ``OSError``."""
        record = {"run": str(self.run.path), "starts": self.starts, "device": self.device}
        atomic.write_json(self.path, record)


def add(config: RunConfig) -> RunDirectory:
    """Make a run that waits at the end of the queue; raises :class:`RunError`.

    It is started when the queue is (:func:`start`), and those before it are done.
    """
    run = RunDirectory.create(runs_folder(), config)
    append(run)
    return run


def append(run: RunDirectory) -> None:
    """Let a run that is not running wait at the end of the queue; raises :class:`RunError`."""
    folder = _waiting()
    name = f"{time.time_ns():020d}-{os.getpid()}-{next(_counter)}.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        Entry(folder / name, RunDirectory(run.path.absolute())).write()
    except OSError as error:
        raise RunError(f"Cannot write to the queue {folder}: {error.strerror}.") from error


def entries() -> list[Entry]:
    """The queue from its head on; what cannot be read, or whose run is gone, is left out."""
    return [entry for path in _files() if (entry := _read(path)) is not None]


def _files() -> list[Path]:
    return sorted(_waiting().glob("*.json"))


def _read(path: Path) -> Entry | None:
    try:
        entry = _entry(path)
        return entry if entry.run.path.is_dir() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _entry(path: Path) -> Entry:
    """Read a file of the queue.

    Raises ``OSError``, and ``ValueError``, ``KeyError`` or ``TypeError`` for what is none.
    """
    record = safe_json.loads(path.read_bytes())
    run = RunDirectory(Path(record["run"]))
    return Entry(path, run, int(record["starts"]), str(record["device"]))


def remove(run_id: str) -> RunDirectory:
    """Take a run out of the queue, the run itself stays; raises :class:`RunError`."""
    with changing():
        found = [entry for entry in entries() if entry.run.id == run_id]
        found = found or [e for e in entries() if run_id and e.run.id.startswith(run_id)]
        if len(found) != 1:
            which = "no run" if not found else f"{len(found)} runs"
            raise RunError(f"The queue has {which} called {run_id[:80]!r}.")
        entry = found[0]
        if entry.run.status.state() is State.RUNNING:
            raise RunError(
                f"The run {entry.run.id} has begun.", f"`dltui stop {entry.run.id}` stops it."
            )
        entry.path.unlink(missing_ok=True)
    return entry.run


def move(run_id: str, step: int) -> None:
    """Swap a run with the one that is ``step`` places behind it; raises :class:`RunError`."""
    with changing():
        found = entries()
        place = next((i for i, entry in enumerate(found) if entry.run.id == run_id), None)
        if place is None or step == 0 or not 0 <= place + step < len(found):
            return
        one, other = sorted((found[place].path, found[place + step].path))
        # By names alone: a process that is killed in between leaves all runs in the queue.
        spare = other.with_name(f"{other.stem}~{time.time_ns()}.json")  # the place after the other
        try:
            one.rename(spare)
            other.rename(one)
            spare.rename(other)
        except OSError as error:
            raise RunError(f"Cannot write to the queue: {error.strerror}.") from error


def clean() -> None:
    """Delete files of the queue that belong to no run any more, within :func:`changing`.

    Raises ``OSError``.
    """
    for path in _files():
        if _is_left_over(path):
            path.unlink(missing_ok=True)


def _is_left_over(path: Path) -> bool:
    """Return whether a file is no entry, or its run was deleted."""
    try:
        return is_deleted(_entry(path).run)
    except OSError:
        return False  # a disk that fails says nothing of the run
    except (ValueError, KeyError, TypeError):
        return True


def start(parallel: int = 1, per_gpu: bool = False) -> subprocess.Popen[bytes]:
    """Start a worker process for the queue, which continues when this one exits.

    Raises :class:`RunError`, also where one works already, and where it cannot.
    """
    if running():
        raise RunError("The queue is already running.", "`dltui queue list` shows it.")
    folder = queue_folder()
    how = ["--per-gpu"] if per_gpu else ["--parallel", str(parallel)]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open_log(folder / "log.txt") as log:
            before = log.seek(0, os.SEEK_END)
        process = spawn("engine.queue.worker", how, folder / "log.txt")
    except OSError as error:
        raise RunError(f"Cannot start the queue: {error.strerror}.") from error
    _await(process, before)
    return process


def _await(process: subprocess.Popen[bytes], before: int) -> None:
    """Wait until the process works the queue off; raises :class:`RunError` where it failed.

    ``before`` is the length of the log when it was started.
    """
    give_up = time.monotonic() + _START_SECONDS
    while process.poll() is None and not running() and time.monotonic() < give_up:
        time.sleep(_POLL_SECONDS)
    if not process.poll() or running():  # it may have found another that is quicker
        return
    log = queue_folder() / "log.txt"
    said = log.read_bytes()[before:].decode(errors="replace").strip().splitlines()
    reason = said[-1][:300] if said else f"its process wrote nothing to {log}" + if_full(log.parent)
    raise RunError(f"Cannot start the queue: {reason}")


def running() -> bool:
    """Whether a process works the queue off, here or in a container or on another machine."""
    return _running_worker() is not None


def stop() -> bool:
    """Start no more runs, current ones continue; returns whether the queue had a worker.

    Raises :class:`RunError`.
    """
    worker = _running_worker()
    if worker is None:
        return False
    try:
        if worker.here:
            os.kill(worker.pid, signal.SIGTERM)
        else:
            _stop_request().touch(mode=0o600)
    except ProcessLookupError:
        pass  # it has ended meanwhile
    except OSError as error:
        raise RunError(f"Cannot stop the queue: {error.strerror}.") from error
    return True


def asked_to_stop() -> bool:
    """Whether the worker of the queue was asked to stop by :func:`stop`, from where it is not."""
    return _stop_request().exists()


def _stop_request() -> Path:
    return queue_folder() / "stop"


def _running_worker() -> ProcessIdentity | None:
    worker = _worker()
    return worker if worker is not None and _heartbeat().shows_running(worker) else None


def _heartbeat() -> Heartbeat:
    return Heartbeat(queue_folder() / "heartbeat")


def _worker() -> ProcessIdentity | None:
    try:
        record = safe_json.loads((queue_folder() / "worker.json").read_bytes())
        return ProcessIdentity.from_record(record)
    except (OSError, ValueError):
        return None


@contextmanager
def held() -> Iterator[None]:
    """Be the one who works the queue off; raises :class:`RunError` where another does."""
    with locked(queue_folder() / "lock", "Another process already works the queue off."):
        noted = queue_folder() / "worker.json"
        _stop_request().unlink(missing_ok=True)  # meant for an earlier worker
        atomic.write_json(noted, ProcessIdentity.own().record())
        try:
            with beating(_heartbeat().beat):
                yield
        finally:
            noted.unlink(missing_ok=True)  # this process may continue and do something else


def changing() -> contextlib.AbstractContextManager[None]:
    """Keep others from starting or removing a run of the queue meanwhile."""
    return locked(queue_folder() / "changes")


def _waiting() -> Path:
    return queue_folder() / "waiting"
