"""Follow a run from the command line until it ends, or until the person has seen enough."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from engine.files.disk_space import if_full
from engine.runs.directory import RunDirectory
from engine.runs.events import Failed, Finished, Interrupted, Stopped
from engine.runs.follower import Follower
from engine.runs.history import History
from tui.cli import console
from tui.cli.exit_codes import DONE, FAILED, INTERRUPTED, TERMINATED, USAGE
from tui.cli.reporters import Reporter

POLL_SECONDS = 0.2


class Interrupts:
    """While it is entered, a signal (ctrl+c by default) is counted and does not end the program."""

    def __init__(self, number: signal.Signals = signal.SIGINT) -> None:
        self.count = 0
        self._number = number

    def __enter__(self) -> Interrupts:
        self._old: Any = signal.signal(self._number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        signal.signal(self._number, self._old)


class Reading:
    """The position in a run's events, and the history up to it; empty at first."""

    def __init__(self, run: RunDirectory) -> None:
        self.history = History()
        self.follower = Follower(run.events.path)

    @classmethod
    def so_far(cls, run: RunDirectory) -> Reading:
        """Start after all events so far, which are not reported again."""
        reading = cls(run)
        reading.follower.catch_up(reading.history)
        return reading

    def restart(self) -> None:
        """Ignore the final event of an earlier worker."""
        self.history.ending = None


def follow(
    run: RunDirectory,
    reporter: Reporter,
    alive: Callable[[], bool],
    enough: Callable[[], bool] = lambda: False,
    reading: Reading | None = None,
) -> History:
    """Report what happens in ``run`` until its last event, or until ``enough`` says so.

    ``alive`` returns whether the worker is running: one that has exited writes no more events.
    ``reading`` has the events read already.
    """
    reading = reading or Reading(run)
    history, follower = reading.history, reading.follower
    living = True
    while living and not history.ended and not enough():
        living = alive()  # checked before reading, so that no final event is missed
        for event in follower.new():
            history.apply(event)
            reporter.event(event, history)
        reporter.show(history)
        if living and not history.ended:
            time.sleep(POLL_SECONDS)
    return history


def exit_status(history: History, asked_to_stop: bool, terminated: bool = False) -> int:
    """Return the exit status for the end of a run.

    ``terminated`` is whether the system asked this process to end.
    """
    match history.ending:
        case Finished():
            return DONE
        case Stopped():
            return INTERRUPTED if asked_to_stop else DONE
        case Interrupted():
            return TERMINATED
        case Failed(usage=True):
            return USAGE
        case None if terminated:
            return TERMINATED
        case None if asked_to_stop:
            return INTERRUPTED
    return FAILED


def refused(history: History) -> bool:
    """Return whether data or settings were found unusable before the first update."""
    wrong = isinstance(history.ending, Failed) and history.ending.usage
    return wrong and history.progress is None


def complain_of_failure(run: RunDirectory, history: History) -> None:
    """Print the reason why a run failed or ended without a message."""
    if isinstance(history.ending, Failed):
        console.complain(history.ending.message)
        if history.ending.report:
            console.complain(f"The whole story is in {history.ending.report}")
    elif history.ending is None:
        text = f"The process of the run exited without an error message; see {run.log}"
        console.complain(text + if_full(run.path))
