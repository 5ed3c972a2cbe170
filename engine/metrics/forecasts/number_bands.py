"""Prediction intervals of single numbers: the bands of forecasts, with a width for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.metrics.forecasts.bands import Bands, calibrate

_BINS = 10
"""Bins of the prediction that the local scale has at most."""
_BIN_ROWS = 20
"""Rows of a bin at least."""
_THINNEST = 1e-3
"""Smallest local scale, in standard deviations."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LocalScale:
    """The mean absolute error as a piecewise linear function of the prediction."""

    predictions: tuple[float, ...] = ()
    """Predictions in rising order; empty where the scale is 1 everywhere."""
    errors: tuple[float, ...] = ()

    def at(self, point: Tensor) -> Tensor:
        """The scale at ``[batch]`` predictions."""
        if not self.predictions:
            return torch.ones_like(point)
        found = np.interp(point.double().cpu().numpy(), self.predictions, self.errors)
        return torch.from_numpy(found).to(point)


@dataclass(frozen=True)
class NumberBands:
    """Quantiles around a network's ``[batch, values]`` outputs, in standard deviations.

    ``values`` is 1, or the number of levels, of which the median is the prediction.
    """

    levels: tuple[float, ...]
    factors: tuple[float, ...] = ()
    """For each level, the distance to the prediction in local scales, or what the network's own
    distance is multiplied by; empty where none are known."""
    scale: LocalScale = LocalScale()

    def point(self, outputs: Tensor) -> Tensor:
        """``[batch]`` predictions."""
        if outputs.shape[1] == 1:
            return outputs.squeeze(1)
        return outputs.sort(1).values[:, self.levels.index(0.5)]

    def quantiles(self, outputs: Tensor) -> Tensor | None:
        """``[batch, levels]`` in rising order; ``None`` if none are known."""
        if not self.factors:
            return None
        factors = torch.tensor(self.factors).to(outputs).expand(1, 1, -1)
        found = Bands(self.levels, factors).quantiles(self.forecast(outputs))
        return None if found is None else found.flatten(1)

    def forecast(self, outputs: Tensor) -> Tensor:
        """Return ``[batch, 1, 1, levels]``: the network's quantiles, or a local scale away."""
        if outputs.shape[1] > 1:
            return outputs.sort(1).values[:, None, None, :]
        sides = torch.tensor([float(np.sign(level - 0.5)) for level in self.levels]).to(outputs)
        point = outputs.squeeze(1)
        return (point[:, None] + sides * self.scale.at(point)[:, None])[:, None, None, :]


def fit_number_bands(levels: Sequence[float], outputs: Tensor, targets: Tensor) -> NumberBands:
    """Return bands that hold on rows which the network was not trained on.

    Split-conformal prediction, normalised by a local scale where the network returns one value
    (Lei et al. 2018, "Distribution-Free Predictive Inference for Regression"): the scale is that
    of every second row, and the factors are those of the others, so they keep their coverage
    whatever the scale is. Without factors where the rows are too few for the outer levels.
    """
    bands = NumberBands(tuple(levels))
    fewest = round(1 / min(levels[0], 1 - levels[-1])) - 1
    if len(levels) == 1 or len(targets) < fewest or not outputs.isfinite().all():
        return bands
    if outputs.shape[1] == 1 and len(targets) // 2 >= max(fewest, 5 * _BIN_ROWS):
        errors = (targets[::2] - outputs[::2, 0]).abs()
        scale = _local_scale(outputs[::2, 0].double().numpy(), errors.double().numpy())
        bands = NumberBands(bands.levels, scale=scale)
        outputs, targets = outputs[1::2], targets[1::2]
    truth = targets[:, None, None]
    known = torch.ones_like(truth, dtype=torch.bool)
    factors = calibrate(levels, bands.forecast(outputs), truth, known)
    assert factors is not None
    return NumberBands(bands.levels, tuple(factors.flatten().tolist()), bands.scale)


def _local_scale(point: Floats, errors: Floats) -> LocalScale:
    """Return mean errors in bins of about as many predictions each."""
    parts = np.array_split(np.argsort(point, kind="stable"), min(_BINS, len(point) // _BIN_ROWS))
    centres = np.array([point[part].mean() for part in parts])
    heights = np.maximum([errors[part].mean() for part in parts], _THINNEST)
    kept = np.append(np.diff(centres) > 0, True)
    return LocalScale(tuple(centres[kept].tolist()), tuple(heights[kept].tolist()))
