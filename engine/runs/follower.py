"""Follow a growing ``events.jsonl``: whole lines only, each once.

A long run has a million of them, which take many seconds to decode. :meth:`Follower.catch_up` skips
those that the state of the run would not show.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.runs.directory import RunDirectory
from engine.runs.downsampling import EventDownsampler
from engine.runs.events import Event, decode
from engine.runs.history import History

_BLOCK = 1 << 20


class Follower:
    """A position in a file of events."""

    def __init__(self, path: Path, begin: int = 0) -> None:
        """Start at the byte ``begin``; what is before it is not read."""
        self._path = path
        self._offset = begin
        self._torn = b""

    def new(self) -> Iterator[Event]:
        """Yield the events that were written since the last call."""
        for lines in self._blocks():
            yield from filter(None, map(decode, lines))

    def catch_up(self, history: History) -> None:
        """Bring ``history``, a new one, up to date; :meth:`new` continues from there.

        A curve of a long run then has fewer points than if all had been added: as many as the end
        keeps.
        """
        downsampler = EventDownsampler()
        for lines in self._blocks():
            history.apply_all(filter(None, map(decode, downsampler.take(lines))))
        history.apply_all(filter(None, map(decode, downsampler.rest())))
        history.passed_over(downsampler.strides)
        if (last := decode(downsampler.last)) is not None:
            history.last_time = last.time

    def _blocks(self) -> Iterator[list[bytes]]:
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


def read_history(run: RunDirectory) -> History:
    """Return a run's history so far; a long run is downsampled as in :meth:`Follower.catch_up`."""
    history = History()
    Follower(run.events.path).catch_up(history)
    return history
