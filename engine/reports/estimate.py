"""Estimated cost of a run, shown before the start; computed by the advisor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from engine.reports.speed import Speed

Verdict = Literal["fits", "tight", "does not fit"]

TIGHT_SHARE = 0.85
"""Beyond this share of the available memory a run is called tight."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes at the moment when most is held, by what they are for."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    """Bytes kept by the layers for the backward pass, with temporaries of the forward pass."""
    overhead: int
    """The data, the libraries and their workspaces."""

    @property
    def total(self) -> int:
        """The sum."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.overhead


@dataclass(frozen=True, slots=True)
class Estimate:
    """Sizes, steps and memory of a run."""

    parameters: int
    trainable: int
    steps: int
    steps_per_epoch: int
    samples: int
    """Training samples."""
    device: str
    precision: str
    memory: Memory
    available: int
    """Bytes that are free on the device."""
    largest_batch: int
    """Most samples a batch for which the memory is enough; 0 if not even one."""
    adapter: int
    """Bytes of the adapter that is saved at the end; 0 where the whole network is."""
    disk: int
    """Peak bytes of checkpoints and export on disk."""
    disk_free: int
    download: int = 0
    """Bytes of pre-trained weights that are not on this machine yet."""
    notes: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    """``field=value`` of automatic fields, as far as the data tells what they come to."""
    evaluations: int = 0
    """Evaluations on the validation split in the whole run."""
    speed: Speed | None = None
    """The speed of runs with these settings on this machine; ``None`` where there are none."""

    @property
    def epoch_seconds(self) -> float | None:
        """Seconds of an epoch, with its evaluations; ``None`` where the speed is unknown."""
        if self.speed is None or not self.steps:
            return None
        share = self.steps_per_epoch / self.steps
        return share * self._training_seconds(self.speed)

    @property
    def seconds(self) -> float | None:
        """Seconds of the run, with what is ``around`` the updates as far as it is known."""
        if self.speed is None:
            return None
        return self._training_seconds(self.speed) + (self.speed.around or 0.0)

    def _training_seconds(self, speed: Speed) -> float:
        return self.steps * speed.update + self.evaluations * (speed.evaluation or 0.0)

    @property
    def percent(self) -> float:
        """Trainable parameters in percent of all."""
        return 100.0 * self.trainable / self.parameters if self.parameters else 0.0

    @property
    def verdict(self) -> Verdict:
        """Whether the memory is enough."""
        if self.memory.total > self.available:
            return "does not fit"
        return "tight" if self.memory.total > TIGHT_SHARE * self.available else "fits"

    def record(self) -> dict[str, Any]:
        """Return the estimate as JSON values, derived ones included."""
        record = asdict(self)
        record["memory"]["total"] = self.memory.total
        derived = ("percent", "verdict", "epoch_seconds", "seconds")
        return record | {name: getattr(self, name) for name in derived}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Estimate:
        """Read back what :meth:`record` made."""
        own = {name: record[name] for name in cls.__dataclass_fields__}
        parts = {name: record["memory"][name] for name in Memory.__dataclass_fields__}
        speed = record["speed"] and Speed(**record["speed"])
        texts = {name: tuple(record[name]) for name in ("notes", "settled")}
        return cls(**own | texts | {"memory": Memory(**parts), "speed": speed})
