"""Random resized crops (Szegedy et al. 2015), with the draws of torchvision's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.data.images import Box

_PURPOSE = 3
_TRIES = 10
_SLIMMEST, _WIDEST = 3 / 4, 4 / 3
"""Width of a crop by its height, at least and at most."""


@dataclass(frozen=True, slots=True)
class Crop:
    """The crop of one image in one epoch, whatever the size that the image turns out to have."""

    least: float
    """Smallest share of the area."""
    seed: int
    epoch: int
    row: int

    def __call__(self, width: int, height: int) -> Box:
        """Return left, top, right and bottom in an image of that size; the same at each call.

        Where no crop fits, it is the largest one in the middle whose ratio of sides is allowed.
        """
        numbers = np.random.default_rng([self.seed, self.epoch, self.row, _PURPOSE])
        for _ in range(_TRIES):
            area = width * height * numbers.uniform(self.least, 1)
            ratio = math.exp(numbers.uniform(math.log(_SLIMMEST), math.log(_WIDEST)))
            own_width, own_height = math.sqrt(area * ratio), math.sqrt(area / ratio)
            if own_width <= width and own_height <= height:
                left = (width - own_width) * numbers.random()
                top = (height - own_height) * numbers.random()
                return left, top, left + own_width, top + own_height
        own_width, own_height = min(width, height * _WIDEST), min(height, width / _SLIMMEST)
        left, top = (width - own_width) / 2, (height - own_height) / 2
        return left, top, left + own_width, top + own_height
