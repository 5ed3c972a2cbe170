"""The directory of a run: the protocol between the process that trains and those that watch.

config.toml      the resolved configuration
events.jsonl     the events, appended (engine.runs.events)
control/         requests to the process that trains (engine.runs.control)
worker.json      the process that trains (engine.processes.identity)
heartbeat        touched every two seconds while it is running
lock             held while it is running, so that no second one starts
log.txt          output of the libraries
checkpoints/     states to resume from (engine.training.checkpoint)
model/           the exported model (engine.artifacts.model_folder)
report.json      final metrics and views
fitted.json      state fitted on the data before the training, for resuming
ranks/           output and events of the processes other than the main one
annotations.json tags and a note of the user (engine.runs.annotations)
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import tomlkit

from engine.config.run_config import RunConfig
from engine.errors import ConfigError, RunError
from engine.files import atomic, safe_json, safe_toml
from engine.files.slugs import is_name, to_name
from engine.processes.identity import ProcessIdentity
from engine.processes.spawn import open_log
from engine.runs.events import ENDINGS, Event, Failed, Finished, Interrupted, Stopped, decode

HEARTBEAT_SECONDS = 2.0
_STALE_SECONDS = 30.0
_TAIL = 256 * 1024
LOG_BYTES = 8 << 20
"""Largest ``log.txt``; a larger one is cut to its last quarter of this."""
_CUT = b"[what was printed before is left out]\n"
_STAMPED = ("events.jsonl", "worker.json", "annotations.json", "config.toml")
_HEAD = 4096


class State(StrEnum):
    """The state of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The system ended its process; it can be resumed from its checkpoint."""
    LOST = "lost"
    """Its process is gone without a final event."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in (State.QUEUED, State.RUNNING)


_STATE_OF: dict[type[Event], State] = {
    Finished: State.FINISHED,
    Stopped: State.STOPPED,
    Interrupted: State.INTERRUPTED,
    Failed: State.FAILED,
}


class RunDirectory:
    """The paths of a run's files and queries on them; holds no state of its own."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    @property
    def id(self) -> str:
        """The name of the directory."""
        return self.path.name

    @property
    def events(self) -> Path:
        """The events, appended."""
        return self.path / "events.jsonl"

    @property
    def control(self) -> Path:
        """Requests to the process that trains."""
        return self.path / "control"

    @property
    def log(self) -> Path:
        """Output of the libraries."""
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """States to resume from."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The exported model."""
        return self.path / "model"

    @property
    def initial_adapter(self) -> Path:
        """The adapter before it was trained."""
        return self.path / "adapter-initial.safetensors"

    @property
    def report(self) -> Path:
        """Final metrics and views."""
        return self.path / "report.json"

    @property
    def fitted(self) -> Path:
        """State fitted on the data before the training."""
        return self.path / "fitted.json"

    @property
    def ranks(self) -> Path:
        """Files of training processes beside the run's own files."""
        return self.path / "ranks"

    @property
    def annotations(self) -> Path:
        """The user's annotations."""
        return self.path / "annotations.json"

    @property
    def _config(self) -> Path:
        return self.path / "config.toml"

    @property
    def _worker(self) -> Path:
        return self.path / "worker.json"

    @property
    def _heartbeat(self) -> Path:
        return self.path / "heartbeat"

    @property
    def _lock(self) -> Path:
        return self.path / "lock"

    @classmethod
    def create(cls, folder: Path, config: RunConfig) -> RunDirectory:
        """Create a new directory in ``folder``; its name has the time and the run's name.

        Paths are stored as absolute ones, so that the run can be resumed from another folder.
        Raises :class:`RunError` where nothing can be written.
        """
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            run = cls(_new_folder(folder, f"{stamp}-{config.name}"))
            run.control.mkdir(mode=0o700)
            run.checkpoints.mkdir(mode=0o700)
            atomic.write_text(run._config, tomlkit.dumps(config.anchored().values()))
        except OSError as error:
            raise RunError(
                f"Cannot make a run in {folder}: {error.strerror}.",
                "Set DLTUI_HOME to a folder where you may write.",
            ) from error
        return run

    @classmethod
    def open(cls, folder: Path, run_id: str) -> RunDirectory:
        """Return the run called ``run_id``, or the only one whose name starts or ends so.

        Raises :class:`RunError` when there is none, or more than one.
        """
        place = folder / run_id
        if is_name(run_id) and (place / "config.toml").is_file() and not place.is_symlink():
            return cls(place)
        found = [
            run for run in all_runs(folder)
            if run_id and (run.id.startswith(run_id) or run.id.endswith("-" + run_id))
        ]  # fmt: skip
        if len(found) == 1:
            return found[0]
        if not found:
            raise RunError(
                f"There is no run {run_id[:80]!r} in {folder}.", "`dltui runs` lists all."
            )
        some = ", ".join(run.id for run in found[:3])
        raise RunError(f"{len(found)} runs match {run_id!r}: {some} …", "Give more of the name.")

    def config(self) -> RunConfig:
        """Read the configuration; raises :class:`RunError` when it cannot be read."""
        try:
            return RunConfig.parse(safe_toml.loads(self.read_config()))
        except ValueError as error:
            raise RunError(f"Cannot read {self._config}: {error}.") from error
        except ConfigError as error:
            raise RunError(f"{self._config} does not suit this version:\n{error}") from error

    def rewrite(self, config: RunConfig) -> None:
        """Replace the configuration by the one with values settled at the start of the run.

        Raises ``OSError``.
        """
        atomic.write_text(self._config, tomlkit.dumps(config.values()))

    def read_config(self) -> str:
        """Return the text of the configuration. Raises :class:`RunError`."""
        try:
            return _content(f"{self.path}/config.toml").decode()
        except (OSError, ValueError) as error:
            raise RunError(f"Cannot read {self._config}: {error}.") from error

    def read_report(self) -> dict[str, Any] | None:
        """Return the final report; ``None`` before there is one. Raises :class:`RunError`."""
        try:
            report = safe_json.loads(self.report.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RunError(f"Cannot read {self.report}: {error}.") from error
        return report if isinstance(report, dict) else None

    def stamp(self) -> tuple[int, ...]:
        """Return numbers that change with new events, another worker or new annotations."""
        path = str(self.path)
        return tuple(changed(f"{path}/{name}") for name in _STAMPED)

    def delete(self) -> None:
        """Remove the directory with all that is in it; raises :class:`RunError`."""
        if not self.state().ended and self.worker() is not None:
            raise RunError(f"The run {self.id} is still running.", "Stop it before it is deleted.")
        hidden = self.path.with_name(f".deleted-{self.id}")
        try:
            self.path.rename(hidden)
            shutil.rmtree(hidden)
        except OSError as error:
            raise RunError(f"Cannot delete {self.path}: {error.strerror}.") from error

    def set_worker(self, worker: ProcessIdentity) -> None:
        """Record the process that works on the run from now on."""
        atomic.write_json(self._worker, worker.record() | {"noted": time.time()})

    def worker(self) -> ProcessIdentity | None:
        """Return the current or last worker; ``None`` before there was one."""
        return ProcessIdentity.from_record(self._worker_record())

    def _worker_record(self) -> dict[str, Any]:
        try:
            record = safe_json.loads(_content(f"{self.path}/worker.json"))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def beat(self) -> None:
        """Touch the heartbeat, for those who cannot see the worker's process."""
        self._heartbeat.touch(mode=0o600)

    def state(self) -> State:
        """Return the current state, from the last event and the worker's process."""
        return self.standing()[0]

    def standing(self) -> tuple[State, Event | None]:
        """Return :meth:`state` and the newest event that it was derived from."""
        record, last = self._worker_record(), self.last_of()
        if (ended := _ended(record, last)) is not None:
            return ended, last
        worker = ProcessIdentity.from_record(record)
        if worker is None:
            return State.QUEUED, last
        if worker.alive() if worker.here else self._beats():
            return State.RUNNING, last
        # The final event may have been written between the two reads.
        last = self.last_of()
        return _ended(record, last) or State.LOST, last

    def _beats(self) -> bool:
        try:
            return time.time() - self._heartbeat.stat().st_mtime < _STALE_SECONDS
        except OSError:
            return False

    def first(self) -> Event | None:
        """Return the oldest event that can be read, unless it is very long."""
        try:
            lines = _content(f"{self.path}/events.jsonl", _HEAD).split(b"\n")
        except OSError:
            return None
        return next(filter(None, map(decode, lines)), None)

    def last_of(self, *kinds: type[Event]) -> Event | None:
        """Return the newest event of these kinds (of all, if none is named)."""
        return next(self.newest(*kinds), None)

    def newest(self, *kinds: type[Event], after: int = 0) -> Iterator[Event]:
        """Yield the events of these kinds (of all, if none is named), the newest first.

        Those that begin before the byte ``after`` of the file are skipped.
        """
        starts = tuple(f'{{"event":"{kind.kind}"'.encode() for kind in kinds) or (b"{",)
        for line in _lines_backwards(f"{self.path}/events.jsonl", after):
            event = decode(line) if line.startswith(starts) else None
            if event is not None:
                yield event

    def open_log(self) -> BinaryIO:
        """Open ``log.txt`` for appending."""
        return open_log(self.log)

    def trim_log(self) -> None:
        """Cut a log that is too large to its end. Raises ``OSError``.

        It is shortened in place, since processes that append hold it open.
        """
        with self.log.open("r+b") as log:
            size = log.seek(0, os.SEEK_END)
            if size <= LOG_BYTES:
                return
            log.seek(size - LOG_BYTES // 4)
            end = log.read()
            log.seek(0)
            log.truncate()
            log.write(_CUT + end)

    @contextmanager
    def locked(self, patience: float = 0.0) -> Iterator[None]:
        """Hold the lock; raises :class:`RunError` when it is taken for ``patience`` more seconds.

        A lock of the kind ``lockf`` belongs to this process alone: a forked data loader does not
        keep it when the process is killed. Within one process it excludes nothing, hence
        :data:`_held`.
        """
        give_up = time.monotonic() + patience
        while not self._acquire():
            if time.monotonic() >= give_up:
                raise RunError(f"Another process already works on the run {self.id}.")
            time.sleep(0.02)
        try:
            yield
        finally:
            with _holding:
                os.close(_held.pop(self._lock.absolute()))

    def _acquire(self) -> bool:
        path = self._lock.absolute()
        with _holding:
            # Closing another handle of the file would release a lock that this process holds.
            if path in _held:
                return False
            try:
                handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise RunError(f"Cannot write to the run {self.id}: {error.strerror}.") from error
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                return False
            _held[path] = handle
            return True


_held: dict[Path, int] = {}
_holding = threading.Lock()


def all_runs(folder: Path) -> list[RunDirectory]:
    """Return all runs of a folder, the newest first; other entries and links are skipped."""
    return list(each_run(folder))


def each_run(folder: Path) -> Iterator[RunDirectory]:
    """Yield :func:`all_runs` one by one: the first need not wait for thousands of others."""
    for name in _names(folder):
        if _is_run(folder, name):
            yield RunDirectory(folder / name)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            # A link may lead into another user's folder.
            names = [
                entry.name for entry in entries if is_name(entry.name) and not entry.is_symlink()
            ]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"Cannot read {folder}: {error.strerror}.") from error
    return sorted(names, reverse=True)


def _is_run(folder: Path, name: str) -> bool:
    return changed(f"{folder}/{name}/config.toml") != 0


def _content(path: str, most: int = -1) -> bytes:
    """Return a file's bytes; plain paths, as ``Path`` is slower for lists of thousands of files."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(most)


def changed(path: str) -> int:
    """Return a file's modification time in nanoseconds; 0 where there is no file."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 — of many thousand files at once
    except OSError:
        return 0


def _ended(worker: dict[str, Any], last: Event | None) -> State | None:
    """Return the state of the last event, if it ends a run and no later worker took over."""
    noted = worker.get("noted")
    taken_over = isinstance(noted, float) and isinstance(last, Event) and last.time < noted
    if not isinstance(last, ENDINGS) or taken_over:
        return None
    return _STATE_OF[type(last)]


def _new_folder(folder: Path, name: str) -> Path:
    for attempt in range(1, 1000):
        suffix = f"-{attempt}" if attempt > 1 else ""
        path = folder / (to_name(name)[: 64 - len(suffix)] + suffix)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return path
    raise RunError(f"Too many runs called {name} in {folder}.")


def _lines_backwards(path: str, after: int = 0) -> Iterator[bytes]:
    """Yield the complete lines of a file from last to first, read in blocks.

    Lines before the byte ``after``, which must begin a line, are left out.
    """
    try:
        file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 — as in _content
    except OSError:
        return
    with file:
        end = file.seek(0, os.SEEK_END)
        rest, block = b"", _HEAD
        while end > after:
            start = max(after, end - block)
            block = min(4 * block, _TAIL)
            file.seek(start)
            lines = (file.read(end - start) + rest).split(b"\n")
            rest = lines.pop(0)
            yield from reversed(lines)
            end = start
        if rest:
            yield rest
