"""Boxes and masks painted onto images, as pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.data.masks import IGNORED

Image = NDArray[np.uint8]
_GOLDEN = 0.618033988749895
"""The golden ratio's conjugate: hues at its multiples stay far apart, however many there are."""
_OPACITY = 0.5


def class_colour(number: int) -> tuple[int, int, int]:
    """Return the colour of a class, red, green and blue; the same for the same number."""
    sector, within = divmod((number * _GOLDEN % 1.0) * 6.0, 1.0)
    rising, falling = round(255 * within), round(255 * (1 - within))
    return (
        (255, rising, 0), (falling, 255, 0), (0, 255, rising),
        (0, falling, 255), (rising, 0, 255), (255, 0, falling),
    )[int(sector)]  # fmt: skip


def with_mask(image: Image, mask: Image, background: int | None = 0) -> Image:
    """Return ``[height, width, 3]`` pixels with the classes of a mask laid over them.

    Pixels of the class ``background``, and ignored ones, stay as they are.
    """
    shown = (mask != IGNORED) & (mask != (IGNORED if background is None else background))
    palette = np.array([class_colour(number) for number in range(256)], np.float32)
    mixed = image * (1 - _OPACITY) + palette[mask] * _OPACITY
    return np.where(shown[..., None], mixed.round(), image).astype(np.uint8)


def with_boxes(image: Image, boxes: Sequence[Sequence[float]], classes: Sequence[int]) -> Image:
    """Return ``[height, width, 3]`` pixels with the outlines of boxes in the colours of classes.

    Boxes are left, top, right, bottom in pixels; what lies outside of the image is cut off.
    """
    painted = image.copy()
    height, width = image.shape[:2]
    for box, number in zip(boxes, classes, strict=True):
        left, top, right, bottom = (round(side) for side in box)
        columns = slice(max(0, left), min(width, max(right, left + 1)))
        rows = slice(max(0, top), min(height, max(bottom, top + 1)))
        for row in (top, bottom - 1):
            if 0 <= row < height:
                painted[row, columns] = class_colour(number)
        for column in (left, right - 1):
            if 0 <= column < width:
                painted[rows, column] = class_colour(number)
    return painted
