"""Small pictures of images, as a network sees them: of its shape, its colours and its scale."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.image_limits import ImageFault
from engine.data.images import Pixels, decode, read_header
from engine.data.threads import in_threads
from engine.files.sanitize import plain
from engine.reports.picture import Picture
from engine.vision.fitted import PixelFitted

SIDE = 64
"""Longest side of a picture in pixels, unless it is to be seen alone."""
_NAME = 80


def pictures_of(
    records: Sequence[Any], fitted: PixelFitted, side: int = SIDE
) -> list[Picture | None]:
    """Return a picture of each image; ``None`` for those that cannot be decoded."""
    return list(
        in_threads(
            lambda record: _named(record, lambda: decoded(record, fitted, side), side), records
        )
    )


def picture(pixels: NDArray[Any], side: int = SIDE, **words: str) -> Picture:
    """Return ``[height, width, 1 or 3]`` bytes or shares of white as a picture of at most ``side``.

    ``words`` are its caption, its name and the size of the image itself.
    """
    whole = as_bytes(pixels)
    coloured = Image.fromarray(np.broadcast_to(whole, (*whole.shape[:2], 3)).copy())
    coloured.thumbnail((side, side), Image.Resampling.BOX)
    rgb = base64.b64encode(coloured.tobytes()).decode()
    return Picture(coloured.width, coloured.height, rgb, **words)


def as_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return bytes as they are, and shares of white as bytes."""
    if pixels.dtype == np.uint8:
        return pixels
    return (pixels.clip(0, 1) * 255).round().astype(np.uint8)


def decoded(record: Any, fitted: PixelFitted, side: int) -> Pixels:
    """Return an image as the network sees it, at most ``side`` pixels wide.

    Raises :class:`~engine.data.image_limits.ImageFault`.
    """
    size = min(fitted.size, side)
    return decode(record, size, fitted.channels, fitted.resize, fitted.levels)


def plain_pictures(records: Sequence[Any], side: int) -> list[Picture | None]:
    """Return a picture of the middle of each image, in colour, whatever a network sees of it."""
    return list(in_threads(lambda record: _named(record, lambda: decode(record, side, 3)), records))


def _named(record: Any, pixels: Callable[[], Pixels], side: int = SIDE) -> Picture | None:
    """Return a picture with the name and the size of its image."""
    try:
        found = picture(pixels(), side)
        header = read_header(record)
    except ImageFault:
        return None
    path = record.get("path") if isinstance(record, Mapping) else None
    name = plain(str(path or "").rpartition("/")[2], _NAME)
    return replace(found, name=name, size=f"{header.width}×{header.height}")
