"""Heat over an image: a picture with colours, and the place in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_COLD, _HOT = np.array([10.0, 30.0, 120.0]), np.array([255.0, 190.0, 30.0])
"""Blue and orange, which colour-blind eyes tell apart."""
_SHARE = 0.5
"""Share of the heat in a pixel; the rest is the image in grey."""
_ROWS, _COLUMNS = ("upper", "middle", "lower"), ("left", "middle", "right")

Shares = NDArray[np.float32]


def heated(image: NDArray[np.uint8], weights: Shares) -> NDArray[np.uint8]:
    """Return ``[height, width, channels]`` bytes under colours from blue, 0, to orange, 1."""
    height, width = image.shape[:2]
    grey = np.broadcast_to(image, (height, width, 3)).mean(2, keepdims=True)
    heat = resized(weights, height, width)[:, :, None]
    colours = _COLD + (_HOT - _COLD) * heat
    mixed = (1 - _SHARE) * grey + _SHARE * colours
    return np.asarray(mixed.round().clip(0, 255), np.uint8)


def resized(weights: Shares, height: int, width: int) -> Shares:
    """Return weights of other sides, linear in between."""
    stretched = Image.fromarray(weights).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(stretched, np.float32)


def place_of(weights: Shares) -> str:
    """Return where most of the weight is, as ``upper left (43 %)``; empty where there is none.

    The image is parted into nine.
    """
    total = float(weights.sum())
    if total <= 0:
        return ""
    even = resized(weights, 3 * 16, 3 * 16)
    ninths = even.reshape(3, 16, 3, 16).sum((1, 3))
    row, column = np.unravel_index(int(ninths.argmax()), ninths.shape)
    name = "middle" if row == column == 1 else f"{_ROWS[row]} {_COLUMNS[column]}"
    return f"{name} ({ninths[row, column] / ninths.sum():.0%})"
