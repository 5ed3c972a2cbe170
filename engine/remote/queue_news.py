"""The queue of a host: sent whenever it has changed, and changed by requests."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import RunError
from engine.files.sanitize import plain
from engine.files.slugs import is_name
from engine.queue import entries
from engine.remote.messages import MOST_QUEUED, ChangeQueue, Queued, QueuedRun

_STEPS = {"earlier": -1, "later": 1}


class QueueNews:
    """The queue, and what of it the other end knows."""

    def __init__(self) -> None:
        self._sent: Queued | None = None

    def news(self) -> Iterator[Queued]:
        """Yield the queue if it is another one than at the last call."""
        queue = read_queue()
        if queue != self._sent:
            self._sent = queue
            yield queue


def read_queue() -> Queued:
    """Return the queue of this machine."""
    found = [entry for entry in entries.entries() if is_name(entry.run.id)]
    listed = found[:MOST_QUEUED]
    return Queued(
        runs=tuple(
            QueuedRun(run=each.run.id, state=each.run.status.state(), device=plain(each.device))
            for each in listed
        ),
        more=len(found) - len(listed),
        running=entries.running(),
    )


def change_queue(asked: ChangeQueue) -> None:
    """Carry out a request. Raises :class:`RunError`."""
    if asked.action == "start":
        entries.start()
    elif asked.action == "stop":
        entries.stop()
    elif asked.run is None:
        raise RunError(f"'{asked.action}' is about a run of the queue, but none is named.")
    elif asked.action == "remove":
        entries.remove(asked.run)
    else:
        entries.move(asked.run, _STEPS[asked.action])
