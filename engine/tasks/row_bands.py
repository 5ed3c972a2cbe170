"""Prediction intervals of numbers of rows, in the state that is fitted on the data."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from engine.metrics.forecasts.number_bands import LocalScale, NumberBands, fit_number_bands
from engine.pipelines.tabular_regression import NumbersFitted


def bands_of(fitted: NumbersFitted, levels: Sequence[float]) -> NumberBands:
    """Return the bands that were fitted; without factors where there are none."""
    scale = LocalScale(tuple(fitted.scale_predictions), tuple(fitted.scale_errors))
    return NumberBands(tuple(levels), tuple(fitted.bands), scale)


def with_bands(
    fitted: NumbersFitted, levels: Sequence[float], outputs: Tensor, targets: Tensor
) -> NumbersFitted:
    """Return the state with bands for the ``levels``, from standardised outputs of held-out rows.

    ``outputs`` are ``[rows, values]``, ``targets`` ``[rows]``.
    """
    found = fit_number_bands(levels, outputs, targets)
    return fitted.model_copy(update={
        "bands": list(found.factors),
        "scale_predictions": list(found.scale.predictions),
        "scale_errors": list(found.scale.errors),
    })  # fmt: skip
