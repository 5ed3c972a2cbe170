"""Shapes of drawing tools: documents, points, and the boxes around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files import safe_json

Points = list[tuple[float, float]]
AROUND = "an outline is read as the box around it"
Object = dict[str, Any]
"""A class and its box, as a cell of a table has it."""
_CORNERS = 64
"""Corners of the polygon that stands for an ellipse."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A class and its place: the corners of a rectangle or an outline, or runs of pixels."""

    label: str
    points: Points
    is_upright: bool = False
    """Whether it is a rectangle along the edges of the image."""
    runs: Sequence[tuple[int, int]] = ()
    """First pixel, from 0, and number of pixels, in the order of columns."""
    edges_inside: bool = False
    """Whether the pixels on the edges of an outline belong to it."""


@dataclass(frozen=True, slots=True)
class Marked:
    """An image as the annotations call it, the split and the size that they state, its shapes."""

    name: str
    split: str
    size: tuple[Any, Any]
    shapes: Sequence[Shape]


def document_of(path: Path) -> Any:
    """Return the content of a JSON file; ``None`` for one that cannot be read."""
    try:
        return safe_json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def points_of(given: Any) -> Points:
    """Return pairs of numbers as points; none where one of them is anything else."""
    try:
        return [(float(x), float(y)) for x, y in given]
    except (TypeError, ValueError):
        return []


def around(label: Any, points: Sequence[tuple[float, float]]) -> Object:
    """Return the object whose box lies around some points."""
    across, down = zip(*points, strict=True)
    box = [min(across), min(down), max(across), max(down)]
    return {"label": "" if label is None else str(label).strip(), "box": finite(box)}


def finite(box: Sequence[float]) -> list[float]:
    """Return a box; empty where one of its numbers is none, which is counted later."""
    return list(box) if all(map(math.isfinite, box)) else []


def numbers_of(record: Any, names: Sequence[str]) -> list[float]:
    """Return numbers of an object; such as are none become NaN, which no box has."""
    values = [record.get(name) if isinstance(record, dict) else None for name in names]
    return [
        float(one) if isinstance(one, int | float) and not isinstance(one, bool) else math.nan
        for one in values
    ]


def ellipse(
    middle: tuple[float, float], across: float, down: float, degrees: float = 0.0
) -> Points:
    """Return the corners of an ellipse with two radii, turned clockwise about its middle."""
    x, y = middle
    angles = [2 * math.pi * corner / _CORNERS for corner in range(_CORNERS)]
    points = [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles]
    return turned(points, middle, degrees)


def turned(points: Points, middle: tuple[float, float], degrees: float) -> Points:
    """Return points that are turned clockwise, as seen, about ``middle``."""
    if not degrees:
        return points
    across, down = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = middle
    return [
        (x + (a - x) * across - (b - y) * down, y + (a - x) * down + (b - y) * across)
        for a, b in points
    ]


def runs_within(
    inside: NDArray[np.bool_], corner: tuple[int, int], size: tuple[int, int]
) -> list[tuple[int, int]]:
    """Return the runs of a part of an image whose left upper corner is at ``corner``.

    ``size`` is the width and height of the image. Raises ``ValueError`` for a part beyond it.
    """
    (left, top), (width, height) = corner, size
    whole = np.zeros((height, width), bool)
    whole[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    edges = np.flatnonzero(np.diff(whole.T.reshape(-1), prepend=False, append=False))
    return [(int(first), int(end - first)) for first, end in edges.reshape(-1, 2)]
