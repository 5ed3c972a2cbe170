"""Follow a run from the command line until it ends, or until the person has seen enough."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from engine.events import Finished, Interrupted, Stopped
from engine.follow import Follower
from engine.history import History
from engine.run_directory import RunDirectory
from tui.exit_codes import DONE, FAILED, INTERRUPTED
from tui.reporters import Reporter

POLL_SECONDS = 0.2


class Interrupts:
    """While it is entered, ctrl+c is counted instead of ending the program."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Interrupts:
        self._old: Any = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._old)


def follow(
    run: RunDirectory,
    reporter: Reporter,
    alive: Callable[[], bool],
    enough: Callable[[], bool] = lambda: False,
) -> History:
    """Report what happens in ``run`` until its last event, or until ``enough`` says so.

    ``alive`` tells whether whoever trains still does: one who is gone says nothing more.
    """
    history = History()
    follower = Follower(run.events)
    living = True
    while living and not history.ended and not enough():
        living = alive()  # asked before reading, so that no last word is missed
        for event in follower.new():
            history.apply(event)
            reporter.event(event, history)
        reporter.show(history)
        if living and not history.ended:
            time.sleep(POLL_SECONDS)
    return history


def exit_status(history: History, asked_to_stop: bool) -> int:
    """What the end of a run means for whoever started it."""
    match history.ending:
        case Finished():
            return DONE
        case Stopped():
            return INTERRUPTED if asked_to_stop else DONE
        case Interrupted():
            return INTERRUPTED
        case None if asked_to_stop:
            return INTERRUPTED
    return FAILED
