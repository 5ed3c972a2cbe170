"""The effect of what is known of the future on each step of a forecast."""

from __future__ import annotations

from torch import nn

from engine.models.shapes import SeriesShape

_HIDDEN = 64


def future_effect(shape: SeriesShape) -> nn.Module | None:
    """From features ``[batch, horizon, features]`` to what they add ``[batch, horizon, outputs]``.

    Calendar and holidays add linearly. Columns of the data, such as the weather beside the hour,
    depend on each other, so a hidden layer lies between. ``None`` without features.
    """
    if not shape.features:
        return None
    if not shape.known:
        return nn.Linear(shape.features, shape.outputs, bias=False)
    return nn.Sequential(
        nn.Linear(shape.features, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, shape.outputs)
    )
