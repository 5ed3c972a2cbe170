"""The speed of a training, as it was measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds that a training took for its parts, on this machine."""

    update: float
    """Seconds per optimizer step; with its share of the evaluations, unless ``evaluation`` is
    given."""
    evaluation: float | None = None
    """Seconds per evaluation on the validation split."""
    around: float | None = None
    """Seconds before the first update and after the last: data, final evaluation, export; ``None``
    where they were not measured."""
    runs: int = 0
    """Runs that it was taken from; 0 for a measurement of its own."""
