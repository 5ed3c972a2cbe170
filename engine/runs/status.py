"""The state of a run: derived from its events, its worker's process and a heartbeat."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.files import atomic, plain_paths, safe_json
from engine.processes.heartbeat import Heartbeat
from engine.processes.identity import ProcessIdentity
from engine.runs.event_file import EventFile
from engine.runs.events import (
    ENDINGS,
    Event,
    Failed,
    Finished,
    Imported,
    Interrupted,
    Stopped,
)


class State(StrEnum):
    """The state of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The system ended its process; it can be resumed from its checkpoint."""
    LOST = "lost"
    """Its process is gone without a final event."""
    IMPORTED = "imported"
    """Another program made it; it can only be compared."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in (State.QUEUED, State.RUNNING)


_STATE_OF: dict[type[Event], State] = {
    Finished: State.FINISHED,
    Stopped: State.STOPPED,
    Interrupted: State.INTERRUPTED,
    Failed: State.FAILED,
    Imported: State.IMPORTED,
}


class Status:
    """The worker of one run (``worker.json``, ``heartbeat``) and the state derived from it."""

    __slots__ = ("_events", "_folder")

    def __init__(self, folder: Path, events: EventFile) -> None:
        self._folder = folder
        self._events = events

    @property
    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(self._folder / "heartbeat")

    def set_worker(self, worker: ProcessIdentity) -> None:
        """Record the process that works on the run from now on, and which events are earlier."""
        record = worker.record() | {"noted": time.time(), "events": self._events.size()}
        atomic.write_json(self._folder / "worker.json", record)

    def worker(self) -> ProcessIdentity | None:
        """Return the current or last worker; ``None`` before there was one."""
        return ProcessIdentity.from_record(self._worker_record())

    def _worker_record(self) -> dict[str, Any]:
        try:
            record = safe_json.loads(plain_paths.read(f"{self._folder}/worker.json"))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def beat(self) -> None:
        """Touch the heartbeat, for those who cannot see the worker's process."""
        self._heartbeat.beat()

    def state(self) -> State:
        """Return the current state, from the last event and the worker's process."""
        return self.standing()[0]

    def standing(self) -> tuple[State, Event | None]:
        """Return :meth:`state` and the newest event that it was derived from."""
        record, last = self._worker_record(), self._events.last()
        if (ended := self._ended(record, last)) is not None:
            return ended, last
        worker = ProcessIdentity.from_record(record)
        if worker is None:
            return State.QUEUED, last
        if self._heartbeat.shows_running(worker):
            return State.RUNNING, last
        # The final event may have been written between the two reads.
        last = self._events.last()
        return self._ended(record, last) or State.LOST, last

    def found(self) -> int:
        """Return the bytes of events of earlier workers that the worker found."""
        events = self._worker_record().get("events")
        return events if isinstance(events, int) else 0

    def starting(self) -> bool:
        """Return whether the worker has written no event yet: those there are are of others."""
        last = self._events.last()
        return last is not None and self._precedes(last, self._worker_record())

    def _ended(self, worker: dict[str, Any], last: Event | None) -> State | None:
        """Return the state of the last event, if it ends a run and no later worker took over."""
        if not isinstance(last, ENDINGS) or self._precedes(last, worker):
            return None
        return _STATE_OF[type(last)]

    def _precedes(self, last: Event, worker: dict[str, Any]) -> bool:
        """Return whether the last event is one of an earlier worker."""
        noted, earlier = worker.get("noted"), worker.get("events")
        if isinstance(earlier, int) and 0 <= earlier <= self._events.size():
            # Not by their times: the clock may have been set in between.
            return next(self._events.newest(after=earlier), None) is None
        # Records of earlier versions, and of mirrored runs, have no position.
        return isinstance(noted, float) and last.time < noted
