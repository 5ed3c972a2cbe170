"""The numbers of boxes in tables: pixels or shares of the image, corners or sizes.

Data sets call both ``bbox``. The training boxes tell, by what lies within their images.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Placed = Iterable[tuple[Sequence[Any], tuple[int, int]]]
"""The four numbers of boxes, and width and height of their images."""
_MOST, _FEW = 0.95, 0.05
"""Share of the boxes that have to fit, and least share of those that do not otherwise."""
_REACH = 0.5
"""Pixels by which a box may reach beyond its image by rounding alone."""


def numbers_of(sides: Sequence[Any] | None) -> list[float]:
    """Return the sides of a box as numbers; empty where one is none, which is counted later."""
    try:
        return [float(side) for side in sides or ()]
    except (TypeError, ValueError):
        return []


def are_shares(boxes: Iterable[Sequence[Any]]) -> bool:
    """Return whether no side of any box is above 1, and some are fractions."""
    sides = [side for box in boxes for side in numbers_of(box)]
    return bool(sides) and max(sides) <= 1 and any(side % 1 for side in sides)


def are_corners(placed: Placed, shares: bool) -> int:
    """Return how many boxes reach beyond their images as left, top, width and height.

    0 unless these are not few, and nearly all lie in their images as left, top, right and bottom.
    """
    known = fitting = beyond = 0
    for sides, size in placed:
        numbers = numbers_of(sides)
        if len(numbers) == 4:
            width, height = (1, 1) if shares else size
            reach = _REACH / max(size) if shares else _REACH
            left, top, third, fourth = numbers
            known += 1
            fitting += (
                left < third <= width + reach and top < fourth <= height + reach and left >= -reach
            )
            beyond += left + third > width + reach or top + fourth > height + reach
    return beyond if known and fitting >= _MOST * known and beyond >= _FEW * known else 0
