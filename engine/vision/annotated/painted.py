"""Small pictures of images with the boxes or the mask that belong to them painted in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.image_limits import ImageFault
from engine.data.images import decode, upright_size
from engine.reports.picture import Picture
from engine.vision.annotated.painting import with_boxes, with_mask
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.pictures import as_bytes, picture

SIDE = 96
"""Longest side of a picture in pixels."""
Pixels = NDArray[np.uint8]
Paint = Callable[[Pixels, float], Pixels]
"""Paints onto ``[height, width, 3]`` pixels, by the share that they are of the image's own."""


def boxes_painted(
    record: Any, objects: Sequence[Mapping[str, Any]], fitted: AnnotatedFitted, **words: str
) -> Picture | None:
    """Return an image with boxes in its own pixels; ``None`` where it cannot be decoded."""
    numbers = {name: number for number, name in enumerate(fitted.classes)}

    def paint(pixels: Pixels, share: float) -> Pixels:
        boxes = [[share * float(side) for side in one["box"]] for one in objects]
        return with_boxes(pixels, boxes, [numbers[one["label"]] for one in objects])

    return _painted(record, fitted, paint, words)


def mask_painted(
    record: Any, mask: Pixels, fitted: AnnotatedFitted, **words: str
) -> Picture | None:
    """Return an image below its mask of any size; ``None`` where it cannot be decoded."""

    def paint(pixels: Pixels, share: float) -> Pixels:
        del share
        height, width = pixels.shape[:2]
        small = Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST)
        return with_mask(pixels, np.asarray(small))

    return _painted(record, fitted, paint, words)


def _painted(
    record: Any, fitted: AnnotatedFitted, paint: Paint, words: dict[str, str]
) -> Picture | None:
    try:
        width, height = upright_size(record)
        whole = as_bytes(decode(record, SIDE, 3, "stretch", fitted.levels))
    except ImageFault:
        return None
    share = min(1.0, SIDE / max(width, height))
    sides = max(1, round(share * width)), max(1, round(share * height))
    pixels = np.asarray(Image.fromarray(whole).resize(sides, Image.Resampling.BOX))
    return picture(paint(pixels, share), SIDE, size=f"{width}×{height}", **words)
