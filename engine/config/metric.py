"""Metrics: their names, and which direction is better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that tells how good a network is."""

    name: str
    """The name in events and files: ``accuracy``."""
    higher_is_better: bool = True
    percent: bool = False
    """Whether it is a share that people read in percent."""
    help: str = ""

    def improves(self, value: float, on: float | None) -> bool:
        """Whether ``value`` is better than ``on``; NaN never is, anything beats ``None``."""
        if value != value:
            return False
        if on is None:
            return True
        return value > on if self.higher_is_better else value < on


LOSS = Metric("loss", higher_is_better=False, help="value of the loss function")
