"""The state of a connection to a host that threads share."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from engine.errors import RunError
from engine.remote.messages import Machine, Queued, Request

_MOMENT = 0.1

Phase = Literal["connecting", "connected", "gone"]


@dataclass(frozen=True)
class Standing:
    """The state of a host, as screens show it; replaced as a whole."""

    phase: Phase = "connecting"
    problem: str = ""
    """Why it is gone."""
    retry: float = 0.0
    """The time of the next attempt, by ``time.monotonic``."""
    note: str = ""
    """A remark, such as on another version."""
    machine: Machine | None = None
    queue: Queued | None = None


class Link:
    """The standing of a host, and the requests that are to be sent to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.changed = threading.Condition()
        """Held to change anything that another thread reads; tells those that wait for it."""
        self.standing = Standing()
        self.outbox: deque[Request] = deque()
        self.wanted = threading.Event()
        """Set where the next attempt to connect must not wait."""
        self.ended = False
        """Whether the program ends: nothing must wait any longer."""

    def stand(self, standing: Standing) -> None:
        """Change the standing."""
        with self.changed:
            self.standing = standing
            self.changed.notify_all()

    def end(self) -> None:
        """Let all threads that wait give up."""
        with self.changed:
            self.ended = True
            self.changed.notify_all()
        self.wanted.set()

    def wait(self) -> None:
        """Wait a moment, or until something has changed; hold :attr:`changed`.

        Raises :class:`RunError` where the program ends.
        """
        if not self.ended:
            self.changed.wait(_MOMENT)
        if self.ended:
            raise RunError("The program ends.")

    def gone(self) -> str:
        """Return why the host is not reachable, and when it is tried again; empty if it is."""
        standing = self.standing
        if standing.phase == "connected" or not standing.problem:
            return ""
        seconds = standing.retry - time.monotonic()
        moment = datetime.fromtimestamp(round(time.time() + seconds))
        when = f"at {moment:%H:%M:%S}" if standing.phase == "gone" else "now"
        return f"not reachable, tried again {when}: {standing.problem}"

    def sentence(self) -> str:
        """Return a sentence about the standing."""
        if self.standing.phase == "connected":
            return f"{self.name} is connected."
        if self.standing.phase == "connecting":
            return f"{self.name} is not connected yet."
        return f"{self.name} is not reachable: {self.standing.problem}"
