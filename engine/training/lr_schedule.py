"""The learning-rate schedule of a run whose length may change during training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.config.train import TrainConfig
from engine.training.checkpoints.state import Position
from engine.training.optimization.optimizer import schedule


@dataclass
class Schedule:
    """The number of updates, and the learning-rate factor of each.

    If the user changes the number of epochs, the schedule continues from its current point. The
    rest of it is spread over the remaining updates.
    """

    config: TrainConfig
    position: Position
    batches: int
    """Batches of the current epoch."""

    def __post_init__(self) -> None:
        self.per_epoch = -(-self.batches // self.config.gradient_accumulation_steps)
        self._planned = self.limited(self.per_epoch * self.config.epoch_count)
        self._factor: Callable[[float], float] = schedule(self.config, self._planned)

    @property
    def epochs(self) -> int:
        """Total number of epochs, as last requested."""
        return self.position.epochs or self.config.epoch_count

    @property
    def epochs_done(self) -> float:
        """Number of epochs completed, with the part of the current one."""
        return self.position.epoch + self.position.batch / self.batches

    @property
    def steps(self) -> int:
        """Total number of updates."""
        steps, last = self.limited(self.per_epoch * self.epochs), self.position.last_step
        return steps if last is None else min(steps, last)

    def limited(self, steps: int) -> int:
        """Return ``steps``, limited by ``train.max_steps``."""
        most = self.config.max_steps
        return steps if most is None else min(steps, most)

    def factor(self, step: int) -> float:
        """Return the factor on the highest learning rate for update ``step``."""
        return self._factor(self._planned_step(step)) * self.position.lr_scale

    def change_epochs(self, epochs: int) -> None:
        """Change the total number of epochs from here on."""
        self._continue_from_here()
        self.position.epochs = epochs

    def limit_steps(self, last_step: int) -> None:
        """End after update ``last_step`` at the latest."""
        wanted = self.limited(self.per_epoch * self.epochs)
        last = last_step if last_step < wanted else None
        if last != self.position.last_step:
            self._continue_from_here()
            self.position.last_step = last

    def _continue_from_here(self) -> None:
        position = self.position
        position.bent_at, position.bent_to = position.step, self._planned_step(position.step)

    def _planned_step(self, step: int) -> float:
        """Return the step of the original schedule whose factor ``step`` has."""
        position = self.position
        if not position.bent_at and position.epochs is None and position.last_step is None:
            return step
        done = (step - position.bent_at) / max(1, self.steps - position.bent_at)
        return position.bent_to + done * (self._planned - position.bent_to)
