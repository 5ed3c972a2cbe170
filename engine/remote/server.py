"""``dltui --stdio``: tell a terminal on another machine of the runs here, and do what it asks.

One loop reads requests from standard input and writes answers to standard output, see
:mod:`engine.remote.messages`. It ends with its input, or when the terminal has been silent for
:data:`SILENT_SECONDS`, and leaves nothing behind except the runs that it has started.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import BinaryIO

from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.files.sanitize import plain
from engine.hardware.resources import measure
from engine.queue import entries
from engine.remote.actions import Actions, Asked
from engine.remote.followed import FollowedRun
from engine.remote.lines import LineBuffer
from engine.remote.messages import (
    PROTOCOL,
    Answer,
    Done,
    Follow,
    Gpu,
    Hello,
    Machine,
    Ping,
    ProtocolError,
    read_request,
)
from engine.remote.queue_news import QueueNews
from engine.remote.rows import RowNews
from engine.runs.directory import RunDirectory

SILENT_SECONDS = 60.0
_TICK_SECONDS = 0.5
_ROWS_SECONDS = 2.0
_REST = 5.0
"""A list that takes long to read is read again after this multiple of the time."""
_MACHINE_SECONDS = 5.0
_BLOCK = 1 << 16


def serve() -> int:
    """Answer until the input ends; returns the exit status."""
    out = _own_output()
    with os.fdopen(out, "wb") as stream:
        _send(stream, [Hello(protocol=PROTOCOL, version=version("dltui"))])
        session = Session()
        due = 0.0
        while (data := _input(due - time.monotonic())) is not None:
            _send(stream, session.take(data))
            if time.monotonic() >= due:
                _send(stream, session.tick())
                due = time.monotonic() + _TICK_SECONDS
            if session.silent:
                break
    return 0


class Session:
    """The requests of one terminal, and the news for it."""

    def __init__(self) -> None:
        self._folder = runs_folder()
        self._lines = LineBuffer()
        self._rows = RowNews(self._folder)
        self._queue = QueueNews()
        self._actions = Actions(self._folder)
        self._followed: dict[str, FollowedRun] = {}
        self._rows_due = self._machine_due = 0.0
        self._heard = time.monotonic()

    @property
    def silent(self) -> bool:
        """Whether the terminal is gone, as far as can be known."""
        return time.monotonic() - self._heard > SILENT_SECONDS

    def take(self, data: bytes) -> Iterator[Answer]:
        """Carry out the requests in what has come, and yield the answers.

        Raises :class:`UserError` for what is no request.
        """
        try:
            for line in self._lines.take(data):
                self._heard = time.monotonic()
                request = read_request(line)
                if isinstance(request, Follow):
                    self._follow(request)
                elif not isinstance(request, Ping):
                    yield self._do(request)
        except ProtocolError as error:
            raise UserError(
                f"Standard input has no request of protocol {PROTOCOL}: {error}.",
                "`dltui --stdio` is started by `dltui --hosts`, over SSH.",
            ) from error

    def tick(self) -> Iterator[Answer]:
        """Yield what is new."""
        for run in self._followed.values():
            yield from run.news()
        now = time.monotonic()
        if now >= self._rows_due:
            yield from self._queue.news()
            yield from self._rows.news()
            took = time.monotonic() - now
            self._rows_due = time.monotonic() + max(_ROWS_SECONDS, _REST * took)
        if now >= self._machine_due:
            self._machine_due = now + _MACHINE_SECONDS
            self._actions.reap()
            yield machine()

    def _follow(self, request: Follow) -> None:
        before, self._followed = self._followed, {}
        for known in request.runs:
            directory = RunDirectory(self._folder / known.run)
            if directory.path.is_symlink():  # it may lead into another user's folder
                continue
            if (run := before.get(known.run)) is not None:
                run.widen(known)
            else:
                run = FollowedRun(directory, known)
            self._followed[known.run] = run

    def _do(self, request: Asked) -> Answer:
        self._rows_due = 0.0  # it may have changed a run
        try:
            return self._actions.do(request)
        except UserError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{error.strerror or error}."
        return Done(number=request.number, problem=plain(problem, 2000))


def machine() -> Machine:
    """Measure this machine."""
    use, folder = measure(), runs_folder()
    return Machine(
        cpu_percent=use.cpu_percent,
        memory=use.memory,
        memory_total=use.memory_total,
        gpus=tuple(map(_gpu, use.gpus)),
        free=shutil.disk_usage(folder).free if folder.exists() else 0,
        waiting=len(entries.entries()),
        working=entries.running(),
    )


def _gpu(record: dict[str, object]) -> Gpu:
    numbers = {name: record.get(name) for name in ("memory", "memory_total", "load_percent")}
    known = {name: value for name, value in numbers.items() if isinstance(value, int | float)}
    load = known.get("load_percent")
    return Gpu(
        name=plain(record.get("name", "")),
        memory=int(known.get("memory", 0)),
        memory_total=int(known.get("memory_total", 0)),
        load=float(load) if load is not None else None,
    )


def _own_output() -> int:
    """Return standard output, which nothing else of this process prints to from here on."""
    sys.stdout.flush()
    out = os.dup(sys.stdout.fileno())
    os.set_inheritable(out, False)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return out


def _input(seconds: float) -> bytes | None:
    """Return what has come within ``seconds``; ``None`` at the end of the input."""
    if not select.select([sys.stdin.fileno()], [], [], max(0.0, seconds))[0]:
        return b""
    return os.read(sys.stdin.fileno(), _BLOCK) or None


def _send(stream: BinaryIO, answers: Iterable[Answer]) -> None:
    for answer in answers:
        stream.write(answer.line())
    stream.flush()
