"""Write a run of another program into the history."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.errors import RunError
from engine.files import atomic
from engine.files.sanitize import plain
from engine.importers.foreign_run import ForeignRun, Point
from engine.importers.metric_names import TEST, TRAIN, VALIDATION, Direction, direction_of
from engine.importers.sources import Source, find_sources
from engine.runs.directory import RunDirectory, all_runs, new_folder
from engine.runs.events import Evaluated, Event, Imported, Log, encode
from engine.runs.imported import ImportedRun

_MOST_LISTED = 60
"""Names of curves that the log lists."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one source."""

    run: RunDirectory | None
    """The run in the history; ``None`` where there is none."""
    text: str
    """A sentence for the user."""
    notes: tuple[str, ...] = ()
    """Notes on values that were damaged, left out or changed."""


def import_runs(path: Path, folder: Path) -> Iterator[Outcome]:
    """Import the runs in a file or below a folder into the ``folder`` of runs.

    One that was imported before is brought up to date. What cannot be read is said in its outcome.
    Raises :class:`RunError` where there are no runs, or nothing can be written.
    """
    known = {imported.source: (run, imported) for run, imported in _imported(folder)}
    for source in find_sources(path):
        yield _import(source, known.get(str(source.path)), folder)


def _import(
    source: Source, before: tuple[RunDirectory, ImportedRun] | None, folder: Path
) -> Outcome:
    where = plain(source.path, 300)
    try:
        fingerprint = source.fingerprint()
        if before is not None and before[1].fingerprint == fingerprint:
            return Outcome(before[0], f"{where} is unchanged since it was imported.")
        foreign = source.read()
    except (OSError, ValueError) as error:
        return Outcome(None, f"Cannot read {where}: {_reason(error)}.")
    curves = _curves(foreign)
    notes = tuple(_notes(foreign))
    if not curves:
        return Outcome(None, f"{where} has no metrics.", notes)
    return _write(foreign, curves, notes, fingerprint, before and before[0], folder)


def _reason(error: Exception) -> str:
    return plain((isinstance(error, OSError) and error.strerror) or error, 200)


def _imported(folder: Path) -> Iterator[tuple[RunDirectory, ImportedRun]]:
    """Yield the imported runs of a folder; those that cannot be read are left alone."""
    for run in all_runs(folder):
        with contextlib.suppress(RunError):
            if (imported := run.config.imported()) is not None:
                yield run, imported


Curves = Mapping[tuple[str, str], Sequence[Point]]


def _curves(foreign: ForeignRun) -> Curves:
    found = {key: series.points(foreign.tally) for key, series in foreign.series.items()}
    return {key: points for key, points in found.items() if points}


def _notes(foreign: ForeignRun) -> Iterator[str]:
    yield from foreign.tally.sentences()
    if foreign.left_out:
        yield f"Values that are not metrics, left out: {', '.join(sorted(foreign.left_out)[:20])}."


def _write(
    foreign: ForeignRun,
    curves: Curves,
    notes: Sequence[str],
    fingerprint: str,
    before: RunDirectory | None,
    folder: Path,
) -> Outcome:
    directions = {metric: direction_of(metric) for metric, _ in curves}
    metric = _deciding(foreign, curves)
    record = ImportedRun(
        name=plain(foreign.name, 120) or "run", program=foreign.program,
        source=str(foreign.source), fingerprint=fingerprint, model=foreign.model, metric=metric,
        metrics=directions, settings=foreign.settings,
    )  # fmt: skip
    events = list(_events(foreign, curves, notes, metric, directions))
    try:
        run = before or _create(folder, record.name, events[0].time)
        atomic.write_text(run.events.path, "".join(f"{encode(event)}\n" for event in events))
        atomic.write_text(run.path / "config.toml", record.text())
    except OSError as error:
        raise RunError(f"Cannot write to {folder}: {error.strerror}.") from error
    values = sum(map(len, curves.values()))
    done = "brought up to date" if before else "imported"
    text = f"{run.id} is {done} from {foreign.program}: curves {len(curves)}, points {values:,}."
    return Outcome(run, text, tuple(notes))


def _create(folder: Path, name: str, started: float) -> RunDirectory:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = datetime.fromtimestamp(started).strftime("%Y%m%d-%H%M%S")
    return RunDirectory(new_folder(folder, f"{stamp}-{name}"))


def _deciding(foreign: ForeignRun, curves: Curves) -> str:
    """Return the metric that decides: the one of the other program, the loss, or the first."""
    names = [metric for metric, split in curves if split == VALIDATION]
    names = names or [metric for metric, _ in curves]
    if foreign.decides in names:
        return foreign.decides
    return "loss" if "loss" in names else names[0]


def _events(
    foreign: ForeignRun,
    curves: Curves,
    notes: Sequence[str],
    metric: str,
    directions: Mapping[str, Direction],
) -> Iterator[Event]:
    """Yield the events of a run that has ended, in the order of time."""
    times = [time for points in curves.values() for _, time, _ in points if time > 0]
    begin = foreign.started or min(times, default=foreign.ended)
    end = max([begin, foreign.ended, *times])
    rows = list(_evaluations(foreign, curves, begin, metric, directions))
    yield Log(time=begin, level="info", message=f"Imported from {foreign.program}: "
              f"{plain(foreign.source, 300)}")  # fmt: skip
    yield from rows
    for reading in list(foreign.readings())[:_MOST_LISTED]:
        yield Log(time=end, level="info", message=reading)
    for note in notes:
        yield Log(time=end, level="warning", message=note)
    count = sum(map(len, curves.values()))
    summed = f"Imported: curves {len(curves)}, points {count:,}."
    yield Log(time=end, level="info", message=summed)
    split, metrics = _final(rows)
    yield Imported(time=end, program=foreign.program, split=split, metrics=metrics)


def _final(rows: Sequence[Evaluated]) -> tuple[str, dict[str, float | None]]:
    """Return the metrics on the test split; without one, those of the best evaluation."""
    tested: dict[str, float | None] = {}
    for row in rows:
        if row.split == TEST:
            tested |= row.metrics
    best = next((row for row in reversed(rows) if row.best), None)
    if tested or best is None:
        return TEST, tested
    return VALIDATION, dict(best.metrics)


def _evaluations(
    foreign: ForeignRun,
    curves: Curves,
    begin: float,
    metric: str,
    directions: Mapping[str, Direction],
) -> Iterator[Evaluated]:
    """Yield the values of each split and step, those that are the best so far marked."""
    rows: dict[tuple[int, str], dict[str, float | None]] = {}
    times: dict[tuple[int, str], float] = {}
    for (name, split), points in curves.items():
        for step, time, value in points:
            rows.setdefault((step, split), {})[name] = value
            times[step, split] = max(time, times.get((step, split), 0.0))
    epoch_of = _Epochs(foreign.epochs.points(foreign.tally))
    highest: float | None = None
    train_loss: float | None = None
    for step, split in sorted(rows, key=lambda key: (key[0], key[1] != TRAIN)):
        if split == TRAIN:
            train_loss = rows[step, split].get("loss", train_loss)
        values, time = rows[step, split], times[step, split]
        score = values.get(metric) if split == VALIDATION else None
        sign = {"lower": -1, "higher": 1, "unknown": 0}[directions[metric]]
        better = False
        if score is not None and sign and (highest is None or sign * score > highest):
            better, highest = True, sign * score
        yield Evaluated(
            time=time or begin, step=step, epoch=epoch_of(step), split=split, metrics=values,
            best=better, seconds=max(0.0, time - begin) if time else 0.0,
            train_loss=train_loss if split == VALIDATION else None,
        )  # fmt: skip


class _Epochs:
    """The epoch of each step, as it was logged last; 0 where it was not logged."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = points
        self._at = 0

    def __call__(self, step: int) -> float:
        """Return the epoch of a step; steps must not fall from call to call."""
        while self._at < len(self._points) and self._points[self._at][0] <= step:
            self._at += 1
        return self._points[self._at - 1][2] if self._at else 0.0
