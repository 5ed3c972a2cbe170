"""Read a growing ``events.jsonl``: whole lines only, each once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.events import Event, decode
from engine.history import History
from engine.run_directory import RunDirectory

_BLOCK = 1 << 20


class Follower:
    """Remembers how far a file was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._torn = b""

    def new(self) -> Iterator[Event]:
        """Yield the events that were written since the last call."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self._offset)
            while block := file.read(_BLOCK):
                self._offset += len(block)
                *lines, self._torn = (self._torn + block).split(b"\n")
                for line in lines:
                    event = decode(line)
                    if event is not None:
                        yield event


def read_history(run: RunDirectory) -> History:
    """The state of a run from all its events so far."""
    history = History()
    history.apply_all(Follower(run.events).new())
    return history
