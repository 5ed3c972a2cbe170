"""From events to state: the one reducer behind every bar, table and chart, live or old."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.reports.picture import Picture, read_pictures
from engine.runs.control import EPOCHS, LEARNING_RATE, STOP
from engine.runs.events import (
    ENDINGS,
    FORGETTING,
    PAUSED,
    CheckpointSaved,
    Controlled,
    Data,
    Evaluated,
    Event,
    Failed,
    Finished,
    Imported,
    Interrupted,
    Log,
    Model,
    Progress,
    Resources,
    SamplePictures,
    Samples,
    Started,
    Stopped,
)

CURVE_POINTS = 4096
LOG_LINES = 1000
EVALUATIONS = 2000
MEASUREMENTS = 720
"""One hour of them, at one in five seconds."""
SAMPLES = 50
CHANGES = 50
CURVES = ("validation", FORGETTING, "train")
"""Splits of which all evaluations make a curve; an imported run has those of the training."""
_COURSE = (EPOCHS, LEARNING_RATE)
"""Requests that change the course of a run."""
_MEASURED = ("loss", "learning_rate", "grad_norm", "samples_per_second")
"""Values of an update that make a curve."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a curve."""

    step: int
    epoch: float
    seconds: float
    value: float


@dataclass(slots=True)
class Curve:
    """A metric over the run, downsampled: every second point is dropped when it is full.

    The first and the newest point are always kept.
    """

    points: list[Point] = field(default_factory=list)
    _stride: int = 1
    _added: int = 0
    _passing: bool = False
    """Whether the newest point is dropped when the next comes."""

    def add(self, point: Point) -> None:
        """Append a point; of a downsampled curve only each n-th stays."""
        if self._passing:
            self.points.pop()
        self.points.append(point)
        self._passing = self._added % self._stride != 0
        self._added += 1
        if len(self.points) > CURVE_POINTS and not self._passing:
            self.points = self.points[::2]
            self._stride *= 2

    def cut(self, step: int) -> None:
        """Drop the points after ``step``: the run resumed from there."""
        while self.points and self.points[-1].step > step:
            self.points.pop()
        self._passing = False
        self._added = len(self.points) * self._stride

    def stands_for(self, count: int) -> None:
        """Note that each point so far stands for ``count``: new ones are downsampled alike."""
        self._stride *= count
        self._added *= count

    @property
    def last(self) -> float | None:
        """The newest value."""
        return self.points[-1].value if self.points else None


@dataclass(frozen=True, slots=True)
class Change:
    """A place where the course of the run was changed: by a request, or by resuming it."""

    step: int
    epoch: float
    seconds: float
    text: str


@dataclass
class History:
    """The state of a run after its events so far."""

    started: Started | None = None
    prepared: Started | Data | Model | None = None
    """The newest preparation of the process that trains, until its first progress."""
    data: dict[str, Any] | None = None
    model: Model | None = None
    progress: Progress | None = None
    trained: Progress | None = None
    """The newest progress of updates, as opposed to evaluations."""
    resources: Resources | None = None
    samples: Samples | None = None
    measured: deque[Resources] = field(default_factory=lambda: deque(maxlen=MEASUREMENTS))
    """The newest resource records of the machine, in order."""
    sampled: deque[Samples] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    """The newest samples, in order."""
    untrained_samples: Samples | None = None
    """The samples of the network before the first update."""
    sample_pictures: list[Picture] = field(default_factory=list)
    """The images that are the samples' inputs, in their order and named as there."""
    ending: Event | None = None
    first_time: float | None = None
    last_time: float | None = None
    _idle: float = 0.0
    """Time between the processes of a run that was resumed."""
    _newest: float = 0.0
    """Latest time of an event of the process: their order may be another one when they are read."""
    best: Evaluated | None = None
    evaluations: list[Evaluated] = field(default_factory=list)
    """Evaluations on validation data: the newest, and before them those that were the best."""
    final: dict[str, Evaluated] = field(default_factory=dict)
    """The last evaluation of every other split."""
    curves: dict[tuple[str, str], Curve] = field(default_factory=dict)
    """By metric and split, as in ``("loss", "train")``."""
    checkpoint: CheckpointSaved | None = None
    stopping: bool = False
    """Whether the process that trains has taken a request to stop."""
    changes: list[Change] = field(default_factory=list)
    """The newest changes of the learning rate or the epochs, and resumptions, in order."""
    log: list[Log] = field(default_factory=list)
    phase: Progress | None = None
    """The first progress of the phase without updates that is under way."""
    validation_seconds: float = 0.0
    """Time that the last validation took, as far as it was followed."""
    version: int = 0
    """Increases with every event, so that a screen can tell whether to redraw."""

    def apply_all(self, events: Iterable[Event]) -> None:
        """Call :meth:`apply` for each."""
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Apply one event."""
        self.version += 1
        if self.first_time is None:
            self.first_time = self._newest = event.time
        if isinstance(event, Started):  # nothing was done since the process before it
            self._idle += max(0.0, event.time - self._newest)
            self._newest = event.time
        self.last_time = event.time
        self._newest = max(self._newest, event.time)
        match event:
            case Progress():
                self._progress(event)
            case Evaluated():
                self._evaluated(event)
            case Started():
                self._started(event)
            case Data():
                self.data = event.summary
                self._prepared(event)
            case Model():
                self.model = event
                self._prepared(event)
            case Resources():
                self.resources = event
                self.measured.append(event)
            case Samples():
                self._samples(event)
            case SamplePictures():
                self.sample_pictures = read_pictures(event.pictures)
            case CheckpointSaved():
                self.checkpoint = event
            case Controlled():
                self.stopping |= event.accepted and event.request == STOP
                if event.accepted and event.request in _COURSE:
                    self._changed(event.message)
                self._log(event, "info" if event.accepted else "warning", event.message)
            case Log():
                self._log(event, event.level, event.message)
            case Finished() | Stopped() | Interrupted() | Failed() | Imported():
                self.ending = event

    def passed_over(self, strides: Mapping[str, int]) -> None:
        """Note that only one of ``strides`` points, by split, was among the events so far."""
        for (_, split), curve in self.curves.items():
            curve.stands_for(strides.get(split, 1))

    @property
    def ended(self) -> bool:
        """Whether the run has its final event."""
        return isinstance(self.ending, ENDINGS)

    @property
    def seconds(self) -> float:
        """Time from the first event to the last, in which a process worked on the run."""
        return max(0.0, (self.last_time or 0.0) - (self.first_time or 0.0) - self._idle)

    def curve(self, metric: str, split: str) -> Curve:
        """Return the curve of a metric; an empty one where there is none."""
        return self.curves.setdefault((metric, split), Curve())

    def _started(self, event: Started) -> None:
        """Reset to the step that a worker starts or resumes from; later events are undone."""
        self.started = self.prepared = event
        self.ending = self.phase = None
        self.stopping = False
        step = event.resumed_step
        self.evaluations = [row for row in self.evaluations if row.step <= step]
        self.best = next((row for row in reversed(self.evaluations) if row.best), None)
        self.final = {}
        if self.progress is not None and self.progress.step > step:
            self.progress = None
        while self.sampled and self.sampled[-1].step > step:
            self.sampled.pop()
        if self.samples is not None and self.samples.step > step:
            self.samples = None
        if self.checkpoint is not None and self.checkpoint.step > step:
            self.checkpoint = None
        for curve in self.curves.values():
            curve.cut(step)
        self.changes = [change for change in self.changes if change.step <= step]
        if step:
            self._changed("resumed")

    def _prepared(self, event: Data | Model) -> None:
        if self.prepared is not None:
            self.prepared = event

    def _changed(self, text: str) -> None:
        """Note a change at the newest update."""
        if points := self.curve("loss", "train").points:
            newest = points[-1]
            change = Change(newest.step, newest.epoch, newest.seconds, text)
            self.changes = [*self.changes, change][-CHANGES:]

    def _progress(self, event: Progress) -> None:
        self.progress = event
        self.prepared = None
        if event.phase in ("train", PAUSED):
            self.phase = None
        elif self.phase is None or self.phase.phase != event.phase:
            self.phase = event
        if event.phase != "train" or event.loss is None:
            return
        self.trained = event
        for name in _MEASURED:
            if (value := getattr(event, name)) is not None:
                point = Point(event.step, event.epoch, event.seconds, value)
                self.curve(name, "train").add(point)

    def _samples(self, event: Samples) -> None:
        self.samples = event
        self.sampled.append(event)
        if event.step == 0:
            self.untrained_samples = event

    def _evaluated(self, event: Evaluated) -> None:
        if event.split not in CURVES:
            self.final[event.split] = event
            return
        known = self.curves.get(("loss", event.split))
        if event.step == 0 and known is not None and known.points:
            return  # a run that began anew evaluated the same network once more
        if event.split == "validation":
            self._validated(event)
        for name, value in event.metrics.items():
            if value is not None:
                point = Point(event.step, event.epoch, event.seconds, value)
                self.curve(name, event.split).add(point)

    def _validated(self, event: Evaluated) -> None:
        self.evaluations.append(event)
        before = self.trained
        if before is not None and before.step <= event.step and before.seconds <= event.seconds:
            self.validation_seconds = event.seconds - before.seconds
        if len(self.evaluations) > 2 * EVALUATIONS:
            older = [row for row in self.evaluations[:-EVALUATIONS] if row.best]
            self.evaluations = older[-EVALUATIONS // 2 :] + self.evaluations[-EVALUATIONS:]
        if event.best:
            self.best = event

    def _log(self, event: Event, level: str, message: str) -> None:
        self.log.append(Log(time=event.time, level=level, message=message))
        del self.log[:-LOG_LINES]


def metric_that_decides(history: History, configured: str) -> str:
    """Return the metric that decides: the data may have chosen another than was configured."""
    return (history.model.metric if history.model else "") or configured
