"""Drawn discs among squares: images with the diameter of the disc."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from engine.data.builtin.shapes import KINDS, SIDE, background, outline, record, reduced
from engine.data.image_record import IMAGE_RECORD
from engine.data.raw import TRAIN, RawData

COUNT = 600
_SEED = 11
_RADII = (4.0, 26.0)
"""Smallest and largest radius of a disc, in pixels."""
_SQUARES = 3
"""Squares at most, whose size has nothing to do with the number."""
_COLOURS = (0, 255)
"""Values of a shape's colours, which the background does not have."""
_DISC, _SQUARE = KINDS.index("circle"), KINDS.index("square")


def discs() -> RawData:
    """600 images of a disc, partly above squares, and its diameter in pixels."""
    return RawData({TRAIN: _discs()})


@cache
def _discs() -> pa.Table:
    """Return the images, which every request of a process would otherwise draw again."""
    drawn = [_drawn(np.random.default_rng((_SEED, number))) for number in range(COUNT)]
    records = [record(image, f"disc-{number}.png") for number, (image, _) in enumerate(drawn)]
    diameters = [diameter for _, diameter in drawn]
    return pa.table({
        "image": pa.array(records, IMAGE_RECORD), "diameter": pa.array(diameters, pa.float64()),
    })  # fmt: skip


def _drawn(random: np.random.Generator) -> tuple[Image.Image, float]:
    image = background(random)
    for _ in range(int(random.integers(_SQUARES + 1))):
        _draw(image, random, _SQUARE, float(random.uniform(3, 10)))
    radius = float(random.uniform(*_RADII))
    _draw(image, random, _DISC, radius)
    return reduced(image, random), round(2 * radius, 2)


def _draw(image: Image.Image, random: np.random.Generator, kind: int, radius: float) -> None:
    """Draw a shape that lies within the image."""
    x, y = (float(value) for value in random.uniform(radius, SIDE - radius, 2))
    corners = outline(kind, (x, y), radius, float(random.uniform(0, 2 * math.pi)))
    colour = tuple(int(value) for value in random.choice(_COLOURS, 3))
    ImageDraw.Draw(image).polygon(corners, fill=colour)
