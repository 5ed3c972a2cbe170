"""Queries on the events of a run, answered from either end of their file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.files import plain_paths
from engine.runs.events import Event, Started, decode

_HEAD = 4096
_TAIL = 256 * 1024


class EventFile:
    """``events.jsonl`` of one run."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """The file."""
        return self._folder / "events.jsonl"

    def size(self) -> int:
        """Return its length in bytes; 0 where there is none."""
        return plain_paths.size(f"{self._folder}/events.jsonl")

    def first(self) -> Event | None:
        """Return the oldest event that can be read, unless it is very long."""
        try:
            lines = plain_paths.read(f"{self._folder}/events.jsonl", _HEAD).split(b"\n")
        except OSError:
            return None
        return next(filter(None, map(decode, lines)), None)

    def oldest(self, within: int = 1 << 20) -> Iterator[Event]:
        """Yield the events that lie within the first bytes of the file, in their order."""
        try:
            lines = plain_paths.read(f"{self._folder}/events.jsonl", within).split(b"\n")
        except OSError:
            return
        yield from filter(None, map(decode, lines))

    def last(self, *kinds: type[Event]) -> Event | None:
        """Return the newest event of these kinds (of all, if none is named)."""
        return next(self.newest(*kinds), None)

    def newest(self, *kinds: type[Event], after: int = 0) -> Iterator[Event]:
        """Yield the events of these kinds (of all, if none is named), the newest first.

        Those that begin before the byte ``after`` of the file are skipped.
        """
        starts = tuple(f'{{"event":"{kind.kind}"'.encode() for kind in kinds) or (b"{",)
        for line in _lines_backwards(f"{self._folder}/events.jsonl", after):
            event = decode(line) if line.startswith(starts) else None
            if event is not None:
                yield event

    def idle_seconds(self) -> float:
        """Return the time between the processes of a run that was resumed."""
        idle, began = 0.0, None
        starts = f'{{"event":"{Started.kind}"'.encode()
        for line in _lines_backwards(f"{self._folder}/events.jsonl"):
            if began is None and not line.startswith(starts):
                continue
            event = decode(line)
            if began is not None and event is not None:
                idle += max(0.0, began - event.time)
                began = None
            if isinstance(event, Started):
                began = event.time
        return idle


def _lines_backwards(path: str, after: int = 0) -> Iterator[bytes]:
    """Yield the complete lines of a file from last to first, read in blocks.

    Lines before the byte ``after``, which must begin a line, are left out.
    """
    try:
        file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 — as in plain_paths
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
