"""Shapes of LabelMe that are no polygons, as the pixels that it draws for them."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from engine.data.boxes.shapes import Points, points_of, runs_within
from engine.data.image_limits import ImageFault, check_size

_BROKEN = (ValueError, TypeError, KeyError, OSError, SyntaxError, OverflowError, ImageFault)


def pixel_runs(shape: Mapping[str, Any], size: tuple[int, int]) -> Sequence[tuple[int, int]]:
    """Return the runs of a circle or a painted mask in an image of a width and height.

    Runs have a first pixel, from 0, and a number of pixels, in the order of columns. Empty for
    other shapes, and for those that cannot be drawn.
    """
    points = points_of(shape.get("points"))
    if len(points) != 2:
        return []
    try:
        check_size(*size)
        if shape.get("shape_type") == "circle":
            return _circle(points, size)
        if shape.get("shape_type") == "mask":
            return _mask(points, shape["mask"], size)
    except _BROKEN:
        return []
    return []


def _circle(points: Points, size: tuple[int, int]) -> Sequence[tuple[int, int]]:
    """Return the runs of a circle about the first point through the second one."""
    (x, y), far = points[0], math.dist(*points)
    mask = Image.new("1", size)
    ImageDraw.Draw(mask).ellipse([x - far, y - far, x + far, y + far], fill=1)
    return runs_within(np.asarray(mask), (0, 0), size)


def _mask(points: Points, text: str, size: tuple[int, int]) -> Sequence[tuple[int, int]]:
    """Return the runs of a PNG whose left upper pixel is the first point."""
    with Image.open(io.BytesIO(base64.b64decode(text)), formats=["PNG"]) as image:
        check_size(*image.size)
        inside = np.asarray(image.convert("L")) > 0
    return runs_within(inside, (round(points[0][0]), round(points[0][1])), size)
