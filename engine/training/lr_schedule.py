"""How the learning rate goes over a run whose length may change while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.config.train import TrainConfig
from engine.training.optimizer import schedule
from engine.training.state import Position


@dataclass
class Pace:
    """Number of updates, and the rate's factor for each.

    Where a person changes the number of epochs, the schedule goes on from where it is: what is
    left of it is spread over the updates that are left.
    """

    config: TrainConfig
    position: Position
    per_epoch: int
    """Updates of an epoch."""

    def __post_init__(self) -> None:
        self._planned = self.limited(self.per_epoch * self.config.epochs)
        self._factor: Callable[[float], float] = schedule(self.config, self._planned)

    @property
    def epochs(self) -> int:
        """Epochs in all, as asked for last."""
        return self.position.epochs or self.config.epochs

    @property
    def steps(self) -> int:
        """Updates in all."""
        return self.limited(self.per_epoch * self.epochs)

    def limited(self, steps: int) -> int:
        """``steps``, or what ``train.max_steps`` leaves of them."""
        most = self.config.max_steps
        return steps if most is None else min(steps, most)

    def factor(self, step: int) -> float:
        """What the highest learning rate is multiplied with for update ``step``."""
        return self._factor(self._planned_step(step)) * self.position.lr_scale

    def change_epochs(self, epochs: int) -> None:
        """Train ``epochs`` in all from here on."""
        position = self.position
        position.bent_at, position.bent_to = position.step, self._planned_step(position.step)
        position.epochs = epochs

    def _planned_step(self, step: int) -> float:
        """The update of the schedule as planned whose factor ``step`` has."""
        position = self.position
        if position.epochs is None:
            return step
        done = (step - position.bent_at) / max(1, self.steps - position.bent_at)
        return position.bent_to + done * (self._planned - position.bent_to)
