"""The events of a run: small records, one line of JSON each in ``events.jsonl``.

The process that trains appends them; those that watch read them. A line that cannot be read
(truncated, or of a newer version) is skipped. The last of :data:`ENDINGS` ends a run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from engine.files import atomic, safe_json
from engine.files.disk_space import size_limit

TIME_LIMIT = "the time limit"
"""The reason of a run that was ended by ``train.max_minutes``."""
FORGETTING = "forgetting"
"""The split of a text of another kind, whose loss shows what the network forgets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event; ``time`` is in seconds since 1970."""

    kind: ClassVar[str] = ""
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """The worker has started. ``resumed_step`` is the step it resumes from, 0 for a fresh start."""

    kind: ClassVar[str] = "started"
    device: str
    precision: str
    threads: int
    versions: dict[str, str] = field(default_factory=dict)
    resumed_step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Data(Event):
    """The data is read; ``summary`` is that of :class:`engine.reports.data_summary.DataSummary`."""

    kind: ClassVar[str] = "data"
    summary: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Event):
    """The network is built."""

    kind: ClassVar[str] = "model"
    name: str
    parameters: int
    trainable: int
    steps: int
    """Updates that the whole run will make."""
    epochs: int
    metric: str = ""
    """The metric that decides on the best weights; empty in runs that did not record it."""
    exporting_seconds: float = 0.0
    """Expected time of the export; 0 in runs that did not record it."""
    baselines_seconds: float = 0.0
    """Expected time of fitting what the network is compared with; 0 where it is not known."""


PAUSED = "paused"
"""The phase of a run that waits for the user to continue it."""
EXPORTING, BASELINES = "exporting", "baselines"
"""Phases after the training; the others are called as the split that is evaluated."""
NEARLY = 0.99
"""The largest share of these two phases, which follows the clock: they may take longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Event):
    """The updates since the last record, at most four times a second."""

    kind: ClassVar[str] = "progress"
    step: int
    steps: int
    epoch: float
    """Passes over the data so far, with the fraction of the current one."""
    epochs: int
    loss: float | None
    """Mean over the updates since the last record."""
    learning_rate: float
    grad_norm: float | None = None
    samples_per_second: float = 0.0
    seconds: float = 0.0
    """Time of training so far in seconds, including that before an interruption."""
    phase: str = "train"
    """``train``, the split that is being evaluated, or one of the phases above."""
    share: float = 0.0
    """The share of that phase that is done, from 0 to 1."""
    memory: int = 0
    """Peak memory in bytes: of the allocator on a GPU, of the process on the CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated(Event):
    """Metrics of a split after an update; after none, of the network that the run began with."""

    kind: ClassVar[str] = "evaluated"
    step: int
    epoch: float
    split: str
    metrics: dict[str, float | None]
    train_loss: float | None = None
    """Mean loss over the training batches since the previous evaluation."""
    best: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples(Event):
    """Outputs of the network for a few inputs."""

    kind: ClassVar[str] = "samples"
    step: int
    split: str
    items: list[dict[str, str]]
    pictures: list[dict[str, Any]] = field(default_factory=list)
    """Records of pictures of the outputs, in the order of the items and named as there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePictures(Event):
    """The images that are the inputs of all samples, reported once: records of pictures, in the
    order of the samples and named as there."""

    kind: ClassVar[str] = "sample_pictures"
    pictures: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved(Event):
    """A checkpoint is complete on disk."""

    kind: ClassVar[str] = "checkpoint"
    step: int
    name: str
    size: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources(Event):
    """Resource use of the machine; ``gpus`` has a dictionary a device."""

    kind: ClassVar[str] = "resources"
    cpu_percent: float
    memory: int
    memory_total: int
    process_memory: int
    gpus: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Event):
    """A message to the user."""

    kind: ClassVar[str] = "log"
    level: str
    """``info``, ``warning`` or ``error``."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Controlled(Event):
    """The answer to a request: carried out, or the reason why not."""

    kind: ClassVar[str] = "controlled"
    request: str
    message: str
    accepted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Event):
    """The run has finished; ``reason`` says why: all epochs, or early stopping."""

    kind: ClassVar[str] = "finished"
    step: int
    seconds: float
    reason: str = "completed"
    metrics: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """The run was stopped by a request; the model is kept."""

    kind: ClassVar[str] = "stopped"
    step: int
    seconds: float
    metrics: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted(Event):
    """The system ended the worker; a checkpoint is written, the run can be resumed."""

    kind: ClassVar[str] = "interrupted"
    step: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled(Event):
    """The training made no progress for too long; it is ended or restarted."""

    kind: ClassVar[str] = "stalled"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """The run failed; ``report`` names a file in case of a defect of the program."""

    kind: ClassVar[str] = "failed"
    message: str
    report: str = ""
    usage: bool = False
    """Whether usage, configuration or data were wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported(Event):
    """Another program made the run, which is complete as far as it is known."""

    kind: ClassVar[str] = "imported"
    program: str
    split: str = "validation"
    """The split of the metrics."""
    metrics: dict[str, float | None] = field(default_factory=dict)


KINDS: dict[str, type[Event]] = {
    kind.kind: kind
    for kind in (
        Started, Data, Model, Progress, Evaluated, Samples, SamplePictures, CheckpointSaved,
        Resources, Log, Controlled, Finished, Stopped, Interrupted, Stalled, Failed, Imported,
    )
}  # fmt: skip
ENDINGS = (Finished, Stopped, Interrupted, Failed, Imported)
_FIELDS = {
    kind: frozenset(part.name for part in dataclasses.fields(kind)) for kind in KINDS.values()
}


def finite(value: float) -> float | None:
    """Return ``value``, or ``None`` where JSON has no number for it."""
    return float(value) if math.isfinite(value) else None


def finite_all(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return :func:`finite` of each value."""
    return {name: finite(value) for name, value in metrics.items()}


def encode(event: Event) -> str:
    """Return one line of JSON, without line end."""
    record = {part.name: getattr(event, part.name) for part in dataclasses.fields(event)}
    return json.dumps({"event": event.kind} | record, allow_nan=False, separators=(",", ":"))


def decode(line: str | bytes) -> Event | None:
    """Return the event in a line; ``None`` where this version knows no such event."""
    try:
        record = safe_json.loads(line)
        kind = KINDS[record.pop("event")]
        return kind(**{name: value for name, value in record.items() if name in _FIELDS[kind]})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


_ROOM = 4096
"""Bytes reserved for the final event."""


class EventLog:
    """Appends events to a file; thread-safe, and safe after a truncated last line.

    Several processes may write to one file: the main process of several, and its supervisor.

    Space for the final event is reserved during the run. On a full disk, a file beside this one is
    given up for it; a file of limited length is filled only up to that reserve.
    """

    def __init__(self, path: Path, reserve: Path | None = None) -> None:
        """``reserve`` is the file that is given up, if it is not one beside ``path``."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._file = os.open(path, flags, 0o600)
        self._reserve = reserve or path.with_name(f".{path.name}.reserve")
        self._writing = threading.Lock()
        with contextlib.suppress(OSError):  # writing events shows whether there is room
            atomic.write_bytes(self._reserve, os.urandom(_ROOM))

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, event: Event) -> None:
        """Append one event with a single write. Raises ``OSError`` when the disk is full."""
        line = (encode(event) + "\n").encode()
        with self._writing:
            if isinstance(event, ENDINGS):
                self._reserve.unlink(missing_ok=True)
            else:
                self._keep_room(len(line))
            if self._torn():
                line = b"\n" + line
            written = os.write(self._file, line)
        if written != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _torn(self) -> bool:
        """Return whether the last line has no end, whoever wrote it."""
        size = os.fstat(self._file).st_size
        return size > 0 and os.pread(self._file, 1, size - 1) != b"\n"

    def _keep_room(self, length: int) -> None:
        limit = size_limit()
        if limit is not None and os.fstat(self._file).st_size + length + _ROOM > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    def close(self) -> None:
        """Close the file, its content synced to disk."""
        try:
            self._reserve.unlink(missing_ok=True)
            os.fsync(self._file)
        finally:
            os.close(self._file)


Report = Callable[[Event], None]
