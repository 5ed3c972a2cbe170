"""A run followed in a thread, so that a screen has its newest state whenever it paints."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from itertools import islice

from engine.runs.directory import RunDirectory
from engine.runs.events import Controlled, Progress
from engine.runs.follower import Follower
from engine.runs.history import History
from engine.runs.origin import host_of
from engine.runs.status import State

READ_SECONDS = 0.25
_STATE_SECONDS = 1.0
_CHUNK = 500
_LOG_BYTES = 64 * 1024
_LOG_LINES = 400


class Watch:
    """The state of one run; hold ``lock`` to read ``history``."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self.lock = threading.Lock()
        self.history = History()
        self.state = State.QUEUED
        self.starting = False
        """Whether a process resumes the run and has not written an event yet."""
        self.log_lines: list[str] = []
        """The last lines of the libraries' output."""
        self.answers: list[Controlled] = []
        """The run's answers to requests since the watch started."""
        self.disk: tuple[int, int] | None = None
        """Bytes of the run's disk: used, and free for this user."""
        self.caught_up = False
        """Whether all earlier events have been read."""
        self.gone = False
        """Whether the run's folder was deleted or moved meanwhile; the rest is as it was."""
        self._events = Follower(run.events.path)
        self._state_read = 0.0
        self._log_size = -1

    @property
    def trained(self) -> Progress | None:
        """The newest progress of updates, as opposed to evaluations."""
        return self.history.trained

    def read(self) -> Iterator[None]:
        """Read new events, and yield after each stretch of them.

        Nothing is handed over: the screen paints at its own rate.
        """
        if not self.caught_up:
            self._catch_up()
        stream = self._events.new()
        while chunk := list(islice(stream, _CHUNK)):
            with self.lock:
                self.history.apply_all(chunk)
                self.answers += [event for event in chunk if isinstance(event, Controlled)]
            if self.history.ended:
                self._state_read = 0.0
            yield None
        if time.monotonic() - self._state_read >= _STATE_SECONDS:
            self.gone = self.caught_up and not self.run.path.is_dir()
            if not self.gone:
                self.state = self.run.status.state()
                self.starting = self.state is State.RUNNING and self.run.status.starting()
            self._read_log()
            self._read_disk()
            self._state_read = time.monotonic()
        self.caught_up = True

    def _catch_up(self) -> None:
        history = History()
        self._events.catch_up(history)
        with self.lock:
            self.history = history

    def _read_disk(self) -> None:
        if host_of(self.run):
            return  # the disk of this machine is none of its business
        try:
            usage = shutil.disk_usage(self.run.path)
        except OSError:
            return
        # Space reserved by a quota or the system is neither.
        self.disk = (usage.used, usage.free)

    def _read_log(self) -> None:
        try:
            with self.run.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size == self._log_size:
                    return
                self._log_size = size
                file.seek(max(0, size - _LOG_BYTES))
                text = file.read(_LOG_BYTES).decode(errors="replace")
        except OSError:
            return
        self.log_lines = text.splitlines()[-_LOG_LINES:]
