"""Images of more than eight bits a channel, on one scale for all of them.

A file does not tell the values that are black and white: a camera of 12 bits writes 0 to 4,095 in
16 bits. The training images tell, and the scale is recorded for all later ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.ImageFile import ImageFile

Depth = Literal["", "integer", "floating"]
"""Kind of the values in an image of more than eight bits; empty for others."""
Shares = NDArray[np.float32]
"""Brightness from 0, black, to 1, white."""

_DEPTHS = tuple(float(2**bits - 1) for bits in (8, 10, 12, 14, 16))
"""Highest values of the usual cameras and converters."""
_OTHER_ENDS = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_WORD = 256
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Levels:
    """The values that are black and white in images of more than eight bits."""

    integer: tuple[float, float] = (0.0, _DEPTHS[-1])
    floating: tuple[float, float] = (0.0, 1.0)
    exact: bool = False
    """Whether pixels are kept as shares, not as bytes: training images have more than a byte."""

    def shares(self, values: NDArray[Any], depth: Depth) -> Shares:
        """Values of an image as shares; those beyond the scale are black or white."""
        black, white = self.floating if depth == "floating" else self.integer
        finite = np.nan_to_num(values.astype(np.float32), nan=black, posinf=white, neginf=black)
        return ((finite - black) / (white - black)).clip(0.0, 1.0).astype(np.float32)


def depth_of(image: ImageFile) -> Depth:
    """Return the kind of an image's values, before it is decoded."""
    if image.mode == "F":
        return "floating"
    return "integer" if image.mode.startswith("I") or _in_words(image) else ""


def deep_values(image: ImageFile, again: Callable[[], ImageFile]) -> NDArray[Any]:
    """Values of an upright image: ``[height, width]``, or ``[height, width, 3 or 4]``.

    PIL keeps the upper byte of a colour alone, so ``again``, which opens the same image, is decoded
    with the bytes the other way round.
    """
    words = _in_words(image)
    values = np.asarray(ImageOps.exif_transpose(image))
    if not words:
        return values
    with again() as other:
        tile = other.tile[0]
        raw = words[:-1] + _OTHER_ENDS[words[-1]]
        args = raw if isinstance(tile.args, str) else (raw, *(tile.args or ())[1:])
        other.tile = [part._replace(args=args) for part in other.tile]
        lower: NDArray[Any] = np.asarray(ImageOps.exif_transpose(other))
    whole: NDArray[Any] = values.astype(np.float32) * _WORD + lower
    return whole


def _in_words(image: ImageFile) -> str:
    """Return the raw mode of a colour image with 16 bits a channel; empty for others."""
    for tile in image.tile[:1]:
        raw = tile.args if isinstance(tile.args, str) else (tile.args or ("",))[0]
        if str(raw)[:-1] in ("RGB;16", "RGBA;16"):
            return str(raw)
    return ""


def levels_of(found: Iterable[tuple[Depth, NDArray[Any]]]) -> Levels:
    """Return the scale of training images: the smallest usual one that holds all their values."""
    lowest: dict[Depth, float] = {}
    highest: dict[Depth, float] = {}
    for depth, values in found:
        finite = values[np.isfinite(values)]
        lowest[depth] = float(finite.min(initial=lowest.get(depth, 0.0)))
        highest[depth] = float(finite.max(initial=highest.get(depth, 0.0)))
    scales: dict[Depth, tuple[float, float]] = {
        depth: (low, _white(highest[depth], depth)) for depth, low in lowest.items()
    }
    standard = Levels()
    return Levels(
        scales.get("integer", standard.integer),
        scales.get("floating", standard.floating),
        exact=bool(scales),
    )


def _white(highest: float, depth: Depth) -> float:
    usual = (1.0, *_DEPTHS) if depth == "floating" else _DEPTHS
    return next((white for white in usual if highest <= white), highest)


def coloured(shares: Shares, channels: int) -> Shares:
    """``[height, width, channels]``, on white where the image is transparent."""
    if shares.ndim == 2:
        return shares[:, :, None].repeat(channels, 2)
    if shares.shape[2] == 4:
        alpha = shares[:, :, 3:]
        shares = shares[:, :, :3] * alpha + (1 - alpha)
    return shares if channels == 3 else (shares @ _LUMA)[:, :, None]
