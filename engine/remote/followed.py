"""A followed run: its new events, and its small files as soon as they change."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from engine.remote.messages import Current, Events, File, FileName, Followed, in_parts
from engine.remote.new_events import NewEvents
from engine.runs.directory import RunDirectory

_LISTED: tuple[FileName, ...] = ("config.toml", "annotations.json", "report.json")
"""The files that a list shows of the run at its cursor."""
_ALL: tuple[FileName, ...] = get_args(FileName)
_LARGEST = 16 << 20
"""Bytes of a file that is sent; of a larger one the size, and it comes with the whole run."""
_LOG: FileName = "log.txt"
_LOG_BYTES = 8 << 10
_LOG_SECONDS = 10.0
_CUT = b"[what was printed before is on the host]\n"


class FollowedRun:
    """The other end's state of one run."""

    def __init__(self, run: RunDirectory, known: Followed) -> None:
        self._run = run
        self._names = _ALL if known.whole else _LISTED
        self._stamps: dict[FileName, str] = dict(known.stamps)
        self._events = NewEvents(run.id, run.events.path, known.position)
        self._log_sent = -_LOG_SECONDS
        self._current = False

    def widen(self, known: Followed) -> None:
        """Follow the run further, with all files if they are wanted now.

        What the other end knew when it asked counts for nothing here: more may be on its way.
        """
        self._names = _ALL if known.whole else _LISTED
        self._current = False

    def news(self) -> Iterator[File | Events | Current]:
        """Yield what is new; :class:`Current` once, after all that there was at first."""
        # The configuration first: a screen needs it, and the last event after what it announces.
        for name in self._names:
            if name != _LOG or time.monotonic() - self._log_sent >= _LOG_SECONDS:
                yield from self._file(name)
        yield from self._events.read()
        if not self._current:
            self._current = True
            yield Current(run=self._run.id)

    def _file(self, name: FileName) -> Iterator[File]:
        path = self._run.path / name
        try:
            stamp, size = _stamp(path)
            if stamp == self._stamps.get(name, ""):
                return
            too_large = size if size > _LARGEST and name != _LOG else 0
            data = _read(path, name) if stamp and not too_large else b""
        except OSError:
            return  # it is being replaced, or the run is gone
        self._stamps[name] = stamp
        if name == _LOG:
            self._log_sent = time.monotonic()
        for part, more in in_parts(data.decode(errors="replace")):
            yield File(
                run=self._run.id,
                name=name,
                stamp=stamp,
                data=part,
                more=more,
                too_large=too_large,
            )


def _stamp(path: Path) -> tuple[str, int]:
    """Return a text that changes with the file, empty where there is none, and its bytes."""
    try:
        status = os.stat(path, follow_symlinks=False)  # noqa: PTH116 — Path has no such argument
    except FileNotFoundError:
        return "", 0
    return f"{status.st_mtime_ns}-{status.st_size}", status.st_size


def _read(path: Path, name: FileName) -> bytes:
    """Return the content of a file; of the log its end."""
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if name != _LOG or size <= _LOG_BYTES:
            file.seek(0)
            return file.read()
        file.seek(size - _LOG_BYTES)
        return _CUT + file.read().partition(b"\n")[2]
