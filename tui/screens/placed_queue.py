"""The queue of this machine or of a host, as a screen shows and changes it.

All calls wait for files or for a host, so they are for threads. They raise
:class:`~engine.errors.RunError` and ``OSError``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.queue import entries
from engine.runs.status import State
from tui.hosts.host import Host
from tui.hosts.hosts import Hosts


@dataclass(frozen=True, slots=True)
class QueuedRow:
    """A run of a queue."""

    place: int
    run: str
    state: State
    device: str


@dataclass(frozen=True, slots=True)
class QueueShown:
    """A queue from its head on."""

    rows: Sequence[QueuedRow]
    running: bool
    more: int = 0
    """Further runs, which are not listed."""
    problem: str = ""
    """Why the rows may be those of a while ago."""


class Queue(Protocol):
    """A queue and its changes."""

    machine: str
    """The host; empty for this machine."""

    def read(self) -> QueueShown:
        """Return the queue as far as it is known."""

    def start(self) -> None:
        """Start the runs one after another."""

    def stop(self) -> None:
        """Start no more runs; the current one continues."""

    def move(self, run: str, step: int) -> None:
        """Move a run one place earlier (-1) or later (1)."""

    def remove(self, run: str) -> None:
        """Take a run out of the queue; the run itself stays."""


def queues(hosts: Hosts) -> list[Queue]:
    """Return the queue of this machine and those of all hosts."""
    return [OwnQueue(), *map(HostQueue, hosts)]


class OwnQueue:
    """The queue of this machine."""

    machine = ""

    def read(self) -> QueueShown:
        """Read it from disk."""
        rows = [
            QueuedRow(place, entry.run.id, entry.run.status.state(), entry.device)
            for place, entry in enumerate(entries.entries(), 1)
        ]
        return QueueShown(rows, entries.running())

    def start(self) -> None:
        """Start a process that starts the runs."""
        entries.start()

    def stop(self) -> None:
        """End that process."""
        entries.stop()

    def move(self, run: str, step: int) -> None:
        """Swap the run with its neighbour."""
        entries.move(run, step)

    def remove(self, run: str) -> None:
        """Delete its entry."""
        entries.remove(run)


class HostQueue:
    """The queue of a host: shown as it was last sent, changed by requests."""

    def __init__(self, host: Host) -> None:
        self.machine = host.name
        self._host = host

    def read(self) -> QueueShown:
        """Return the queue that the host has sent last."""
        link = self._host.link
        standing = link.standing
        problem = "" if standing.phase == "connected" else link.sentence()
        if (queue := standing.queue) is None:
            return QueueShown((), False, problem=problem or f"{link.name} has not sent it yet.")
        rows = [
            QueuedRow(place, each.run, each.state, each.device)
            for place, each in enumerate(queue.runs, 1)
        ]
        return QueueShown(rows, queue.running, queue.more, problem)

    def start(self) -> None:
        """Let the host start its queue."""
        self._host.change_queue("start")

    def stop(self) -> None:
        """Let the host start no more runs."""
        self._host.change_queue("stop")

    def move(self, run: str, step: int) -> None:
        """Let the host swap the run with its neighbour."""
        self._host.change_queue("earlier" if step < 0 else "later", run)

    def remove(self, run: str) -> None:
        """Let the host take the run out."""
        self._host.change_queue("remove", run)
