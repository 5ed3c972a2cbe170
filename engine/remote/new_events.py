"""The new events of a followed run, sent at a limited rate.

What a terminal does not know yet at first may be hours of training: it is downsampled as for a
local screen. From then on a run has :data:`BYTES_A_SECOND`, saved up for some time: an evaluation
with many samples comes at once, and what is more than that comes later, without surplus progress.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.remote.messages import Events, in_parts
from engine.runs.downsampling import EventDownsampler

BYTES_A_SECOND = 3000.0
"""Of events, uncompressed; what remains to 4 kB is for the log and the row of the run."""
_SAVED_UP = 60.0
"""Seconds whose bytes may come at once."""
_BLOCK = 1 << 20
_MUCH = 256 << 10
"""Bytes of news from which on they are downsampled."""
_SURPLUS = (b'{"event":"progress"', b'{"event":"resources"')
_TIME = re.compile(rb'"time":(\d+(?:\.\d+)?)')


class NewEvents:
    """A position in one run's ``events.jsonl``, and the bytes that may be sent."""

    def __init__(self, run: str, path: Path, position: int) -> None:
        """Begin at a byte that the other end has given, where a line begins."""
        self._run = run
        self._path = path
        self._position = position
        self._allowed = BYTES_A_SECOND * _SAVED_UP
        self._moment = time.monotonic()
        self._first = True
        """Whether nothing was sent: what there is at first counts for nothing."""

    def read(self) -> Iterator[Events]:
        """Yield the events that are new and may be sent now."""
        try:
            size = self._path.stat().st_size
        except OSError:
            return
        self._save_up()
        if not self._first and self._allowed <= 0:
            return
        begin = self._position > size
        if begin:  # another run has this name now
            self._position = 0
        start = self._position
        lines = self._catch_up() if begin or size - start > _MUCH else self._next()
        if not self._first:
            self._allowed -= sum(len(line) + 1 for line in lines)
        self._first = False
        if lines or begin:
            yield from _messages(self._run, (start, self._position), lines, begin)

    def _catch_up(self) -> list[bytes]:
        """Return all that is new, downsampled."""
        downsampler = EventDownsampler()
        kept: list[bytes] = []
        rest = b""
        with self._path.open("rb", buffering=0) as file:
            file.seek(self._position)
            while block := file.read(_BLOCK):
                *lines, rest = (rest + block).split(b"\n")
                kept += downsampler.take(lines)
                self._position += len(block)
        self._position -= len(rest)
        kept += downsampler.rest()
        return _in_order(kept, downsampler.last)

    def _next(self) -> list[bytes]:
        """Return the next lines that may be sent."""
        with self._path.open("rb", buffering=0) as file:
            file.seek(self._position)
            data = file.read(_MUCH)
        whole = data[: data.rfind(b"\n") + 1]
        lines = whole.split(b"\n")[:-1]
        if self._first or len(whole) <= self._allowed:
            self._position += len(whole)
            return lines
        lines, read = _fitting(lines, self._allowed)
        self._position += read
        return lines

    def _save_up(self) -> None:
        now = time.monotonic()
        saved = self._allowed + (now - self._moment) * BYTES_A_SECOND
        self._allowed, self._moment = min(saved, BYTES_A_SECOND * _SAVED_UP), now


def _fitting(lines: Sequence[bytes], allowed: float) -> tuple[list[bytes], int]:
    """Return the lines for ``allowed`` bytes, at least one, and the bytes that they stand for.

    Of progress and resources only the newest before each other event is kept.
    """
    kept: list[bytes] = []
    read = sent = 0
    for place, line in enumerate(lines):
        read += len(line) + 1
        after = lines[place + 1] if place + 1 < len(lines) else b""
        if any(line.startswith(kind) and after.startswith(kind) for kind in _SURPLUS):
            continue
        kept.append(line)
        sent += len(line) + 1
        if sent >= allowed:
            break
    return kept, read


def _in_order(lines: list[bytes], last: bytes) -> list[bytes]:
    """Sort by time, which downsampling by kind does not keep; the last line tells the state."""
    ordered = sorted((line for line in lines if line != last), key=_time)
    return [*ordered, last] if last else ordered


def _time(line: bytes) -> float:
    found = _TIME.search(line)
    return float(found[1]) if found else 0.0


def _messages(
    run: str, span: tuple[int, int], lines: Sequence[bytes], begin: bool
) -> Iterator[Events]:
    """Yield the lines of a span of bytes in parts that a message has room for."""
    text = b"".join(line + b"\n" for line in lines).decode(errors="replace")
    start, position = span
    for part, more in in_parts(text):
        yield Events(run=run, start=start, position=position, data=part, begin=begin, more=more)
