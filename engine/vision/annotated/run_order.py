"""The order in which run lengths count the pixels of an image: down its columns, or along its rows.

Competitions have both. Successive runs of an object are a column, or a row, apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

Runs = Sequence[tuple[int, int]]
"""First pixel, from 0, and number of pixels."""
Order = Literal["columns", "rows"]
_NEAR = 0.2
"""Share of a side by which the distance of two runs may differ from it."""


def order_of(objects: Iterable[tuple[Runs, tuple[int, int]]]) -> Order | None:
    """Return the order of the runs of objects in images of a width and height.

    ``None`` where none tells: images are square, or objects of one run.
    """
    columns = rows = 0
    for runs, (width, height) in objects:
        if width == height:
            continue
        for (first, _), (second, _) in pairwise(runs):
            down, along = abs(second - first - height), abs(second - first - width)
            columns += down < along and down <= _NEAR * height
            rows += along < down and along <= _NEAR * width
    if not columns and not rows:
        return None
    return "columns" if columns >= rows else "rows"


def fault_of(runs: Runs, size: tuple[int, int]) -> str | None:
    """Return why runs cannot be those of an image of a width and height."""
    ends = [0, *(first + count for first, count in runs)]
    if any(first < end for (first, _), end in zip(runs, ends, strict=False)):
        return "run lengths overlap, or count from the run before them"
    if ends[-1] > size[0] * size[1]:
        return "run lengths reach beyond their image"
    return None
