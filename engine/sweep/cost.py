"""The order of trials by what they cost: in a time limit, cheap ones come before dear ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from engine.config.overrides import parse_value
from engine.sweep.space import Choice, Dimension

Point = dict[str, str | float]

_TRAINED: Mapping[str, Sequence[str]] = {
    "model.trainable": ("head", "last_stage", "all"),
    "adapter.method": ("lora", "rslora", "dora", "none"),
}
"""By field, its values from the fewest trained weights to all of them."""
_LENGTHS = ("train.epochs", "train.max_steps", "train.max_minutes")


def cost(point: Mapping[str, str | float]) -> tuple[float, ...]:
    """Return a key that sorts points by their cost.

    Frozen layers come before adapters and these before the whole network, then few epochs before
    many.
    """
    trained = [
        values.index(str(point[field]))
        for field, values in _TRAINED.items()
        if str(point.get(field)) in values
    ]
    return float(sum(trained)), *(_length(point.get(field, 0.0)) for field in _LENGTHS)


def _length(value: str | float) -> float:
    """Return a limit as a number; ``none`` is no limit, and so the longest."""
    number = parse_value(value, None) if isinstance(value, str) else value
    return float(number) if isinstance(number, int | float) else math.inf


def steps_up(own: Point | None, dimensions: Sequence[Dimension], trials: int) -> list[Point]:
    """Return the first points of a search, the cheapest first.

    They are that of the preset, ``own``, and those with the other choices of the fields that cost,
    as many as half of the ``trials``. Where the preset lies outside of the space, other fields are
    left to the search.
    """
    fields = {*_TRAINED, *_LENGTHS}
    choices = [
        dimension
        for dimension in dimensions
        if isinstance(dimension, Choice) and dimension.field in fields
    ]
    around = [
        (own or {}) | dict(zip((choice.field for choice in choices), values, strict=True))
        for values in itertools.product(*(choice.values for choice in choices))
    ]
    others = sorted((point for point in around if point not in (own, {})), key=cost)
    first = [] if own is None else [own]
    return sorted([*first, *others[: max(0, trials // 2 - len(first))]], key=cost)
