"""Fetch a run of a host: its model and all that is known of it become a run of this machine.

The files come over a channel of their own, so that what is followed goes on, and through the master
connection, so that nothing logs in again. A file is kept only if its digest is that of the host's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TypeVar

from engine.errors import RunError
from engine.files.paths import runs_folder
from engine.remote.messages import (
    READ,
    Done,
    Entry,
    FileList,
    ListFiles,
    Part,
    ProtocolError,
    ReadFile,
    read_answer,
)
from engine.remote.run_files import allowed
from engine.runs.directory import RunDirectory
from tui.hosts.address import Address
from tui.hosts.reasons import why_closed
from tui.hosts.ssh import Channel, Closed

T = TypeVar("T", FileList, Part)

_SILENT_SECONDS = 120.0
"""A host computes digests of a large model before it answers."""
_READ_SECONDS = 0.5
_AHEAD = 8
"""Parts of a file that are asked for before the first has come."""

Progress = Callable[[int, int], None]
"""Receives the bytes that have come, and all that are to come."""


def fetch(address: Address, command: list[str], run: str, progress: Progress) -> RunDirectory:
    """Fetch a run; returns the run of this machine. Raises :class:`RunError`.

    ``command`` opens the channel. A run of this machine that has the name already is left as it is,
    and the fetched one gets a number.
    """
    folder = runs_folder()
    partial = folder / f".fetched-{address.name}-{run}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        channel = Channel(command)
        try:
            _Transfer(address, channel, run, partial, progress).all()
        finally:
            channel.close()
        (partial / "checkpoints").mkdir(mode=0o700)
        (partial / "control").mkdir(mode=0o700)
        return _settle(partial, folder, run)
    except OSError as error:
        raise RunError(f"Cannot write to {folder}: {error.strerror}.") from error
    except Closed as error:
        raise RunError(f"{address.name}: {why_closed(address, error)}") from error
    except ProtocolError as error:
        raise RunError(
            f"{address.name} has sent something else than a message: {error}."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class _Transfer:
    """The files of one run, one after the other."""

    def __init__(
        self, address: Address, channel: Channel, run: str, folder: Path, progress: Progress
    ) -> None:
        self._address = address
        self._channel = channel
        self._run = run
        self._folder = folder
        self._progress = progress
        self._numbers = count(1)
        self._come = 0

    def all(self) -> None:
        """Fetch all files; raises :class:`RunError`."""
        number = next(self._numbers)
        self._channel.send(ListFiles(number=number, run=self._run))
        listed = self._answer(number, FileList)
        total = sum(entry.size for entry in listed.files)
        if total > (free := shutil.disk_usage(self._folder).free):
            raise RunError(
                f"The run has {total / 1e6:,.0f} MB, but {free / 1e6:,.0f} MB are free here.",
                "Make room, then fetch it again.",
            )
        for entry in listed.files:
            if not allowed(entry.path):
                raise RunError(f"{self._address.name} has sent a file {entry.path!r}; refused.")
            self._file(entry, total)

    def _file(self, entry: Entry, total: int) -> None:
        path = self._folder / entry.path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest = hashlib.sha256()
        size = 0
        path.touch(mode=0o600, exist_ok=False)
        with path.open("wb") as file:
            for part in self._parts(entry):
                file.write(part)
                digest.update(part)
                size += len(part)
                self._come += len(part)
                self._progress(self._come, total)
        if size != entry.size or digest.hexdigest() != entry.sha256:
            raise RunError(
                f"{entry.path} of {self._run} has changed while it was fetched.",
                "Fetch the run again when it has ended.",
            )

    def _parts(self, entry: Entry) -> Iterator[bytes]:
        """Yield a file, some parts of it asked for ahead: the way to the host takes time."""
        asked: deque[int] = deque()
        for offset in range(0, entry.size, READ):
            number = next(self._numbers)
            self._channel.send(
                ReadFile(number=number, run=self._run, path=entry.path, offset=offset)
            )
            asked.append(number)
            if len(asked) > _AHEAD:
                yield _decoded(self._answer(asked.popleft(), Part))
        while asked:
            yield _decoded(self._answer(asked.popleft(), Part))

    def _answer(self, number: int, kind: type[T]) -> T:
        """Wait for the answer to a request among all other messages."""
        heard = time.monotonic()
        while time.monotonic() - heard < _SILENT_SECONDS:
            for line in self._channel.receive(_READ_SECONDS, most=1):
                try:
                    message = read_answer(line)
                except ProtocolError:
                    if number == 1:
                        continue  # printed by the login
                    raise
                if getattr(message, "number", None) != number:
                    continue
                if isinstance(message, kind):
                    return message
                problem = message.problem if isinstance(message, Done) else "another answer"
                raise RunError(f"{self._address.name}: {problem}")
        raise RunError(f"{self._address.name} has not answered.")


def _decoded(part: Part) -> bytes:
    try:
        return base64.b64decode(part.data, validate=True)
    except binascii.Error as error:
        raise ProtocolError("bytes are not in base 64") from error


def _settle(partial: Path, folder: Path, run: str) -> RunDirectory:
    """Give a complete run its name; one that is taken gets a number."""
    for attempt in range(1, 1000):
        target = folder / (run if attempt == 1 else f"{run[:60]}-{attempt}")
        if not target.exists():
            partial.rename(target)
            return RunDirectory(target)
    raise RunError(f"Too many runs are called {run}.")
