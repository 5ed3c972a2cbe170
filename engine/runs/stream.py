"""The events of a run as they are written, for programs that train and watch."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine.runs.directory import RunDirectory
from engine.runs.events import ENDINGS, Event
from engine.runs.follower import Follower
from engine.runs.status import State

_POLL_SECONDS = 0.2


def stream(run: RunDirectory) -> Iterator[Event]:
    """Yield the events of ``run`` from its first to its last, waiting for those to come.

    It ends with the run, also with one whose process exited without an error message. Leaving it
    early does not touch the run.
    """
    follower = Follower(run.events.path)
    while True:
        over = run.status.state() not in (State.QUEUED, State.RUNNING)  # asked before reading
        for event in follower.new():
            yield event
            if isinstance(event, ENDINGS) and run.status.state().ended:
                return
        if over:
            return
        time.sleep(_POLL_SECONDS)
