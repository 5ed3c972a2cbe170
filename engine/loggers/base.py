"""Loggers: the events of a run, forwarded to other services while it trains.

A thread follows the run's own events, so whatever happens elsewhere, the training does not wait for
it and does not fail by it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from engine.loggers.tensorboard import TensorBoard
from engine.loggers.wandb import Wandb
from engine.runs.events import Event
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
}
"""By name, as in ``train.report_to``; raises ``UserError`` where a package is missing."""


@contextmanager
def reported(session: RunSession) -> Iterator[None]:
    """Pass on what happens within the block; raises ``UserError`` before anything has happened."""
    log = session.run.events.path
    begin = log.stat().st_size
    ended = threading.Event()
    threads = [
        threading.Thread(
            target=_pass_on,
            args=(name, DESTINATIONS[name](session), Follower(log, begin), ended, session),
            daemon=True,
        )
        for name in dict.fromkeys(session.config.train.report_to)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(_PATIENCE_SECONDS)


def _pass_on(
    name: str, there: Destination, follower: Follower, ended: threading.Event, session: RunSession
) -> None:
    try:
        over = False
        while not over:
            over = ended.wait(_POLL_SECONDS)  # asked before reading, so that nothing is missed
            for event in follower.new():
                there.report(event)
            there.flush()
        there.close()
    except Exception as error:  # noqa: BLE001 — another's program, which must not harm the run
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        session.warn(f"Nothing more is reported to {name}: {reason}")
