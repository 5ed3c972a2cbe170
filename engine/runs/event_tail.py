"""Read a growing ``events.jsonl``: whole lines only, each once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.runs.events import Event, decode

_BLOCK = 1 << 20


class EventTail:
    """A position in a file of events."""

    def __init__(self, path: Path, begin: int = 0) -> None:
        """Start at the byte ``begin``; what is before it is not read."""
        self._path = path
        self._offset = begin
        self._torn = b""

    def new(self) -> Iterator[Event]:
        """Yield the events that were written since the last call."""
        for lines in self.blocks():
            yield from filter(None, map(decode, lines))

    def blocks(self) -> Iterator[list[bytes]]:
        """Yield the lines that were written since the last call, many at a time."""
        try:
            file = self._path.open("rb", buffering=0)
        except FileNotFoundError:
            return
        with file:
            file.seek(self._offset)
            while block := file.read(_BLOCK):
                self._offset += len(block)
                *lines, self._torn = (self._torn + block).split(b"\n")
                yield lines
