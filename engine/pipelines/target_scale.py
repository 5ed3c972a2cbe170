"""Mean and standard deviation of a target of numbers, over the training rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.files.sanitize import plain

_STEPS = 50
"""Steps of float32 that a standard deviation has at least."""
_SQUARED = 1e150
"""Sums of squares of larger numbers are infinite in float64, and those of its inverse 0."""


def target_scale(target: str, values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean and the standard deviation of the finite ``values``, ``[rows]``.

    Raises :class:`DataError` where all are the same, or too large or close for squares.
    """
    if values.min() == values.max():  # their computed deviation may be above 0, by rounding
        raise DataError(
            f"The target {plain(target, 60)!r} is {values[0]:g} in all training rows.",
            "Choose another task.target.",
        )
    scale = float(np.abs(values).max())
    mean, std = (float(part * scale) for part in ((values / scale).mean(), (values / scale).std()))
    if scale > _SQUARED or std < 1 / _SQUARED:
        raise DataError(
            f"The target {plain(target, 60)!r} has values up to {scale:.3g} and a deviation of "
            f"{std:.3g}: the squares of errors are beyond float64.",
            "Scale it, or take its logarithm.",
        )
    return mean, std


def check_steps(target: str, values: NDArray[np.float64], std: float) -> None:
    """Refuse numbers whose differences are lost in float32, in which networks compute.

    Raises :class:`DataError`.
    """
    largest, most = np.abs(values).max(), np.finfo(np.float32).max
    step = float(np.spacing(np.float32(largest))) if largest < most else np.inf
    if not step < std / _STEPS:
        raise DataError(
            f"The target {plain(target, 60)!r} has values up to {largest:.3g} and a deviation "
            f"of {std:.3g}: networks compute in float32, whose numbers are {step:.2g} apart "
            "there.",
            "Subtract a number from all values, such as the smallest, or scale them.",
        )
