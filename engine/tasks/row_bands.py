"""Prediction intervals of numbers of rows, in the state that is fitted on the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from torch import Tensor

from engine.data.fitted import Fitted
from engine.metrics.forecasts.number_bands import LocalScale, NumberBands, fit_number_bands

F = TypeVar("F", bound=Fitted)


class HasBands(Protocol):
    """A fitted state with bands."""

    @property
    def bands(self) -> Sequence[float]: ...  # noqa: D102
    @property
    def scale_predictions(self) -> Sequence[float]: ...  # noqa: D102
    @property
    def scale_errors(self) -> Sequence[float]: ...  # noqa: D102


def bands_of(fitted: HasBands, levels: Sequence[float]) -> NumberBands:
    """Return the bands that were fitted; without factors where there are none."""
    scale = LocalScale(tuple(fitted.scale_predictions), tuple(fitted.scale_errors))
    return NumberBands(tuple(levels), tuple(fitted.bands), scale)


def with_bands(fitted: F, levels: Sequence[float], outputs: Tensor, targets: Tensor) -> F:
    """Return the state with bands for the ``levels``, from standardised outputs of held-out rows.

    ``outputs`` are ``[rows, values]``, ``targets`` ``[rows]``.
    """
    found = fit_number_bands(levels, outputs, targets)
    return fitted.model_copy(update={
        "bands": list(found.factors),
        "scale_predictions": list(found.scale.predictions),
        "scale_errors": list(found.scale.errors),
    })  # fmt: skip
