"""Loggers: the events of a run, forwarded to other services while it trains.

A thread follows the run's own events, so whatever happens elsewhere, the training does not wait for
it and does not fail by it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from engine.errors import UserError
from engine.loggers.notifier import Notifier
from engine.loggers.notify_settings import read_notify_settings
from engine.loggers.tensorboard import TensorBoard
from engine.loggers.trackio import Trackio
from engine.loggers.wandb import Wandb
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, EventLog, Log
from engine.runs.follower import Follower
from engine.runs.session import RunSession

_POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 10.0
"""Time-out for the last reports at the end of a run."""


class Destination(Protocol):
    """A service that events are forwarded to. Exceptions of its methods end the reports only."""

    def report(self, event: Event) -> None:
        """Take in an event."""

    def flush(self) -> None:
        """Let others see what was taken in."""

    def close(self) -> None:
        """Nothing more will come."""


DESTINATIONS: Mapping[str, Callable[[RunSession], Destination]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "trackio": Trackio,
}
"""By name, as in ``train.report_to``; raises ``UserError`` where a package is missing."""


@contextmanager
def reported(session: RunSession) -> Iterator[None]:
    """Pass on what happens within the block to the loggers of the configuration.

    Raises ``UserError`` before anything has happened.
    """
    names = dict.fromkeys(session.config.train.report_to)
    there: dict[str, Destination] = {name: DESTINATIONS[name](session) for name in names}
    with forwarded(session.run, there, session.warn) as close:
        session.reports.append(close)
        yield


@contextmanager
def notified(run: RunDirectory, events: EventLog) -> Iterator[Callable[[], None]]:
    """Notify the user of what happens within the block, as the settings say.

    Yields what sends the last notifications before the end of the block, see :func:`forwarded`.

    Settings that are not usable are a warning of the run, which does not fail by them. What fails
    later is reported in its log alone, as nothing may come after its final event.
    ``DLTUI_NOTIFY=off`` in the environment notifies of nothing.
    """
    there: dict[str, Destination] = {}
    try:
        settings = read_notify_settings()
        if settings.urls and os.environ.get("DLTUI_NOTIFY") != "off":
            there["the user"] = Notifier(run, settings, _print)
    except UserError as error:
        events.write(Log(level="warning", message=f"Notifications are off for this run: {error}"))
    with forwarded(run, there, _print) as close:
        yield close


def _print(text: str) -> None:
    sys.stderr.write(f"{text}\n")


@contextmanager
def forwarded(
    run: RunDirectory, there: Mapping[str, Destination], warn: Callable[[str], None]
) -> Iterator[Callable[[], None]]:
    """Pass on the events that are written within the block, in a thread for each destination.

    ``warn`` takes the sentence on one that failed. Yields a function that passes on what is written
    until it is called, and ends the threads: for a process that exits within the block.
    """
    log = run.events.path
    begin = log.stat().st_size
    ended = threading.Event()
    threads = [
        threading.Thread(
            target=_pass_on, args=(name, each, Follower(log, begin), ended, warn), daemon=True
        )
        for name, each in there.items()
    ]
    for thread in threads:
        thread.start()

    def close() -> None:
        ended.set()
        for thread in threads:
            thread.join(_PATIENCE_SECONDS)

    try:
        yield close
    finally:
        close()


def _pass_on(
    name: str,
    there: Destination,
    follower: Follower,
    ended: threading.Event,
    warn: Callable[[str], None],
) -> None:
    try:
        over = False
        while not over:
            over = ended.wait(_POLL_SECONDS)  # asked before reading, so that nothing is missed
            for event in follower.new():
                there.report(event)
            there.flush()
        there.close()
    except UserError as error:
        warn(f"Nothing more is reported to {name}: {error}")
    except Exception as error:  # noqa: BLE001 — another's program, which must not harm the run
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        warn(f"Nothing more is reported to {name}: {reason}")
