"""Summaries of runs for lists, without reading all events.

Thousands of runs are listed at once, so only a minimum is read of each: the parts of its
configuration that are shown, the first event and the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.runs.annotations import NOTHING_NOTED, Annotations, read_annotations
from engine.runs.directory import RunDirectory
from engine.runs.events import PAUSED, Evaluated, Event, Finished, Imported, Progress, Stopped
from engine.runs.origin import host_of
from engine.runs.status import State

_OVERLAP = 64 * 1024
"""Bytes that are read again, since the last line may have been incomplete."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The summary of one run for lists."""

    run: RunDirectory
    name: str
    state: State
    started: float
    """Seconds since 1970."""
    seconds: float
    """Seconds in which processes worked on the run."""
    task: str = ""
    data: str = ""
    model: str = ""
    metric: str = ""
    """Name of the metric that decides which weights are best."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Final metrics, on the test split where there is one; before the end the best so far."""
    done: float | None = None
    """Share of the updates that a running run has made."""
    paused: bool = False
    """Whether a running run is paused."""
    problem: str = ""
    """Reason why the configuration cannot be read; empty when it can."""
    notes: Annotations = NOTHING_NOTED
    scanned: int = 0
    """Bytes of the events that hold no better evaluation."""
    idle: float | None = field(default=None, compare=False)
    """Seconds between the processes of a run that was resumed, where its events were read."""
    id: str = field(init=False, repr=False, compare=False)
    """The name of the run's directory; stored, since lists need thousands of them at each key."""
    host: str = field(init=False, repr=False, compare=False)
    """The machine that it is on; empty for this one."""
    key: str = field(init=False, repr=False, compare=False)
    """Its identity among all others: runs of two machines may have the same id."""
    text: str = field(init=False, repr=False, compare=False)
    """All text that it is found by, in lower case."""

    def __post_init__(self) -> None:
        state = PAUSED if self.paused else self.state
        shown = (self.name, self.task, self.data, self.model, state, self.metric)
        host = host_of(self.run)
        object.__setattr__(self, "id", self.run.id)
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "key", f"{host}/{self.id}" if host else self.id)
        words = " ".join((self.id, host, *shown, *self.notes.tags, self.notes.note)).lower()
        object.__setattr__(self, "text", words)

    @property
    def value(self) -> float | None:
        """The value of :attr:`metric`."""
        return self.metrics.get(self.metric)

    def record(self) -> dict[str, Any]:
        """Return the summary as JSON takes it; ``started`` in UTC after ISO 8601."""
        return {
            "id": self.id,
            "name": self.name,
            "task": self.task,
            "state": str(self.state),
            "metric": self.metric,
            "value": self.value,
            "started": datetime.fromtimestamp(self.started, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "seconds": round(self.seconds, 1),
            "tags": list(self.notes.tags),
            "note": self.notes.note,
            "pinned": self.notes.pinned,
        }


def summarize(run: RunDirectory, before: RunSummary | None = None) -> RunSummary:
    """Return the summary of ``run``; if it cannot be read, the summary carries the problem.

    ``before`` is an earlier summary: only newer events are read.
    """
    from engine.runs.listed_config import listed_config  # an indexed list need not load it

    size = run.events.size()
    first, (state, last) = run.events.first(), run.status.standing()
    started = first.time if first is not None else _made(run)
    shown = listed_config(run)
    idle = _idle(run, before)
    progress = run.events.last(Progress) if state is State.RUNNING else None
    return RunSummary(
        run=run,
        name=shown.name,
        state=state,
        started=started,
        seconds=max(0.0, last.time - started - idle) if last is not None else 0.0,
        task=shown.task,
        data=shown.data,
        model=shown.model,
        metric=shown.metric,
        metrics=_metrics(run, last, before),
        done=_done(progress),
        paused=isinstance(progress, Progress) and progress.phase == PAUSED,
        problem=shown.problem,
        notes=read_annotations(run),
        scanned=size,
        idle=idle,
    )


def _idle(run: RunDirectory, before: RunSummary | None) -> float:
    """Return the time between the processes of a run; all its events are read once a process."""
    found = run.status.found()
    if not found:
        return 0.0
    if before is not None and before.idle is not None and before.scanned > found:
        return before.idle
    return run.events.idle_seconds()


def _made(run: RunDirectory) -> float:
    try:
        return run.path.stat().st_mtime
    except OSError:  # deleted while the list was being read
        return 0.0


def _done(last: Event | None) -> float | None:
    return last.step / last.steps if isinstance(last, Progress) and last.steps else None


def _metrics(
    run: RunDirectory, last: Event | None, before: RunSummary | None
) -> Mapping[str, float]:
    """Return the final metrics, else those of the newest evaluation that was the best so far."""
    if isinstance(last, Finished | Stopped | Imported) and last.metrics:
        return _numbers(last.metrics)
    after = max(0, before.scanned - _OVERLAP) if before is not None else 0
    for event in run.events.newest(Evaluated, after=after):
        if isinstance(event, Evaluated) and event.best:
            return _numbers(event.metrics)
    return before.metrics if before is not None else {}


def _numbers(metrics: Mapping[str, object]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if isinstance(value, float | int)}
