"""The history of a run from its growing ``events.jsonl``.

A long run has a million of them, which take many seconds to decode. :meth:`Follower.catch_up` skips
those that the state of the run would not show.
"""

from __future__ import annotations

from engine.runs.directory import RunDirectory
from engine.runs.downsampling import EventDownsampler
from engine.runs.event_tail import EventTail
from engine.runs.events import decode
from engine.runs.history import History


class Follower(EventTail):
    """A position in a file of events, which can be brought up to date quickly."""

    def catch_up(self, history: History) -> None:
        """Bring ``history``, a new one, up to date; :meth:`new` continues from there.

        A curve of a long run then has fewer points than if all had been added: as many as the end
        keeps.
        """
        downsampler = EventDownsampler()
        for lines in self.blocks():
            history.apply_all(filter(None, map(decode, downsampler.take(lines))))
        history.apply_all(filter(None, map(decode, downsampler.rest())))
        history.passed_over(downsampler.strides)
        if (last := decode(downsampler.last)) is not None:
            history.last_time = last.time


def read_history(run: RunDirectory) -> History:
    """Return a run's history so far; a long run is downsampled as in :meth:`Follower.catch_up`."""
    history = History()
    Follower(run.events.path).catch_up(history)
    return history
