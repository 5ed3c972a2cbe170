"""Drawn shapes: images with a box and a mask for each circle, square and triangle."""

from __future__ import annotations

import io
import math
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from engine.data.boxes.records import OBJECTS
from engine.data.image_record import IMAGE_RECORD, of_bytes
from engine.data.mask_files import with_mask_classes
from engine.data.raw import TRAIN, RawData

KINDS = ("circle", "square", "triangle")
COUNT, SIDE = 600, 64
_SEED = 7
_MOST = 4
_RADII = (5, 12)
"""Smallest and largest distance of a shape's outline from its middle, in pixels."""
FINER = 4
"""Supersampling: factor by which images are drawn larger, before they are reduced."""
_TRIES = 50


def shapes() -> RawData:
    """600 images of up to four shapes; the masks have the values 0 to 3."""
    classes = [f"{value}={name}" for value, name in enumerate(("background", *KINDS))]
    return with_mask_classes(RawData({TRAIN: _shapes()}), classes)


@cache
def _shapes() -> pa.Table:
    """Return the images, which every request of a process would otherwise draw again."""
    drawn = [_drawn(np.random.default_rng((_SEED, number))) for number in range(COUNT)]
    images, masks, objects = zip(*drawn, strict=True)
    return pa.table({
        "image": pa.array([record(image, f"shapes-{i}.png") for i, image in enumerate(images)],
                          IMAGE_RECORD),
        "mask": pa.array([record(mask, f"mask-{i}.png") for i, mask in enumerate(masks)],
                         IMAGE_RECORD),
        "objects": pa.array(objects, OBJECTS),
    })  # fmt: skip


def _drawn(random: np.random.Generator) -> tuple[Image.Image, Image.Image, list[dict[str, Any]]]:
    """Draw one image, its mask, and the boxes of its shapes."""
    image = background(random)
    mask = Image.new("L", image.size, 0)
    objects = []
    for middle, radius in _places(random):
        kind = int(random.integers(len(KINDS)))
        corners = outline(kind, middle, radius, float(random.uniform(0, 2 * math.pi)))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        for picture, filling in ((image, colour), (mask, kind + 1)):
            ImageDraw.Draw(picture).polygon(corners, fill=filling)
        columns, rows = zip(*corners, strict=True)
        box = [side / FINER for side in (min(columns), min(rows), max(columns), max(rows))]
        objects.append({"label": KINDS[kind], "box": box})
    return (
        reduced(image, random), mask.resize((SIDE, SIDE), Image.Resampling.NEAREST), objects
    )  # fmt: skip


def reduced(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Return a drawn image in the size of the data, with noise."""
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    noise = random.normal(0, 6, (SIDE, SIDE, 1))
    return Image.fromarray((np.asarray(small, np.float32) + noise).clip(0, 255).astype(np.uint8))


def background(random: np.random.Generator) -> Image.Image:
    """Return a gradient between four random colours, in the drawn size."""
    corners = random.integers(40, 216, (2, 2, 3), dtype=np.uint8)
    side = SIDE * FINER
    return Image.fromarray(corners).resize((side, side), Image.Resampling.BILINEAR)


def _places(random: np.random.Generator) -> list[tuple[tuple[float, float], float]]:
    """Return middles and radii of shapes that do not touch, in pixels of the image."""
    wanted = int(random.integers(1, _MOST + 1))
    places: list[tuple[tuple[float, float], float]] = []
    for _ in range(_TRIES):
        radius = float(random.uniform(*_RADII))
        x, y = (float(value) for value in random.uniform(radius + 1, SIDE - radius - 1, 2))
        if all(math.dist((x, y), other) > radius + size + 1 for other, size in places):
            places.append(((x, y), radius))
        if len(places) == wanted:
            break
    return places


def outline(
    kind: int, middle: tuple[float, float], radius: float, angle: float
) -> list[tuple[float, float]]:
    """Return the corners in the drawn size; a circle has many."""
    corners = {"circle": 48, "square": 4, "triangle": 3}[KINDS[kind]]
    turns = (angle + 2 * math.pi * corner / corners for corner in range(corners))
    return [
        (FINER * (middle[0] + radius * math.cos(turn)),
         FINER * (middle[1] + radius * math.sin(turn)))
        for turn in turns
    ]  # fmt: skip


def record(image: Image.Image, name: str) -> dict[str, Any]:
    """Return an image as a cell of a table, as PNG."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return of_bytes(file.getvalue(), name)
