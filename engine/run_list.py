"""The rows of the history: what a list shows of each run, without reading all its events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.errors import RunError
from engine.events import ENDINGS, Evaluated, Event, Finished, Progress, Stopped, decode
from engine.run_directory import RunDirectory, State, all_runs


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run as a list shows it."""

    run: RunDirectory
    name: str
    state: State
    started: float
    """Seconds since 1970."""
    seconds: float
    """From the first event to the last."""
    task: str = ""
    data: str = ""
    model: str = ""
    metric: str = ""
    """Name of the metric that decides which weights are best."""
    value: float | None = None
    """Its final value, of the test data where there are any; before the end the best so far."""
    done: float | None = None
    """Share of the updates that a running one has made."""
    problem: str = ""
    """Why the configuration cannot be read, empty when it can."""

    @property
    def id(self) -> str:
        """The name of the run's directory."""
        return self.run.id

    def record(self) -> dict[str, Any]:
        """As JSON takes it; ``started`` in UTC after ISO 8601."""
        return {
            "id": self.id,
            "name": self.name,
            "task": self.task,
            "state": str(self.state),
            "metric": self.metric,
            "value": self.value,
            "started": datetime.fromtimestamp(self.started, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "seconds": round(self.seconds, 1),
        }


class RunList:
    """The history of a folder, read again only where something may have changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[tuple[int, ...], RunSummary]] = {}

    def read(self) -> Iterator[RunSummary]:
        """Yield all runs, the newest first. Raises :class:`RunError` for the folder only."""
        runs = all_runs(self._folder)
        ids = {run.id for run in runs}
        self._known = {id: entry for id, entry in self._known.items() if id in ids}
        yield from map(self._summary, runs)

    def _summary(self, run: RunDirectory) -> RunSummary:
        stamp = run.stamp()
        known = self._known.get(run.id)
        if known is not None and known[0] == stamp and known[1].state.ended:
            return known[1]
        summary = summarize(run)
        self._known[run.id] = stamp, summary
        return summary


def list_runs(folder: Path) -> list[RunSummary]:
    """All runs of a folder, the newest first. Raises :class:`RunError` for the folder only."""
    return list(map(summarize, all_runs(folder)))


def summarize(run: RunDirectory) -> RunSummary:
    """What a list shows of ``run``; a run that cannot be read carries its problem."""
    started, ended = _span(run)
    state = run.state()
    try:
        config = run.config()
    except RunError as error:
        return RunSummary(run, run.id, state, started, ended - started, problem=str(error))
    metric = config.task.metric(config.train.metric_for_best_model).name
    return RunSummary(
        run=run,
        name=config.name,
        state=state,
        started=started,
        seconds=ended - started,
        task=config.task.kind,
        data=config.data.label,
        model=config.model.kind,
        metric=metric,
        value=_value(run, metric),
        done=_done(run) if state is State.RUNNING else None,
    )


def _span(run: RunDirectory) -> tuple[float, float]:
    """Times of the first and the last event; of the directory before there are any."""
    first = next(_first_events(run), None)
    if first is None:
        made = _made(run)
        return made, made
    return first.time, next(run.newest(), first).time


def _done(run: RunDirectory) -> float | None:
    last = run.last_of(Progress)
    return last.step / last.steps if isinstance(last, Progress) and last.steps else None


def _made(run: RunDirectory) -> float:
    try:
        return run.path.stat().st_mtime
    except FileNotFoundError:  # deleted while the list was made
        return 0.0


def _first_events(run: RunDirectory) -> Iterator[Event]:
    try:
        with run.events.open("rb") as file:
            yield from filter(None, map(decode, file))
    except FileNotFoundError:
        return


def _value(run: RunDirectory, metric: str) -> float | None:
    ending = run.last_of(*ENDINGS)
    if isinstance(ending, Finished | Stopped) and metric in ending.metrics:
        return ending.metrics[metric]
    for event in run.newest(Evaluated):
        if isinstance(event, Evaluated) and event.best:
            return event.metrics.get(metric)
    return None
