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
from PIL import Image, ImageOps, TiffImagePlugin

from engine.data.image_limits import ImageFault

Depth = Literal["", "integer", "floating"]
"""Kind of the values in an image of more than eight bits; empty for others."""
Shares = NDArray[np.float32]
"""Brightness from 0, black, to 1, white."""

_DEPTHS = tuple(float(2**bits - 1) for bits in (8, 10, 12, 14, 16))
"""Highest values of the usual cameras and converters."""
_OTHER_ENDS = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_WORD = 256
_GREY = ("1", "L", "I", "F", "LA")
_GREY_AND_ALPHA = "LA;16B"
_WHITE_IS_ZERO, _SEPARATE = 0, 2
"""Values of TIFF's tags: inverted grey, and channels that are stored one after the other."""
_PLANES = ("R", "G", "B", "A")
_UNREAD = "planes"
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Levels:
    """The values that are black and white in images of more than eight bits."""

    integer: tuple[float, float] = (0.0, _DEPTHS[-1])
    floating: tuple[float, float] = (0.0, 1.0)
    exact: bool = False
    """Whether pixels are kept as shares, not as bytes: training images have more than a byte."""

    def scale(self, depth: Depth) -> tuple[float, float]:
        """Return the values that are black and white in images of a kind."""
        return self.floating if depth == "floating" else self.integer

    def shares(self, values: NDArray[Any], depth: Depth) -> Shares:
        """Values of an image as shares; those beyond the scale are black or white."""
        black, white = self.scale(depth)
        finite = np.nan_to_num(values.astype(np.float32), nan=black, posinf=white, neginf=black)
        colours = (_colours(finite) - black) / (white - black)
        if _has_alpha(finite):
            colours = np.concatenate([colours, finite[:, :, -1:] / _DEPTHS[-1]], axis=2)
        return colours.clip(0.0, 1.0).astype(np.float32)


def depth_of(image: Image.Image) -> Depth:
    """Return the kind of an image's values, before it is decoded."""
    if image.mode == "F":
        return "floating"
    return "integer" if image.mode.startswith("I") or _in_words(image) else ""


def deep_values(image: Image.Image, again: Callable[[], Image.Image]) -> NDArray[Any]:
    """Values of an upright image: ``[height, width]``, or with 2 to 4 channels behind.

    The last one of 2 or 4 is the opacity. PIL keeps the upper byte of a colour alone, so ``again``,
    which opens the same image, is decoded with the bytes the other way round. Raises
    :class:`~engine.data.image_limits.ImageFault`.
    """
    raw = _in_words(image)
    if not raw:
        values = np.asarray(ImageOps.exif_transpose(image))
        if _is_inverted(image):
            values = (2 ** _bits(image) - 1) - values
        hidden = image.info.get("transparency")
        if not isinstance(hidden, int) or values.ndim > 2:
            return values
        return np.stack([values, np.where(values == hidden, 0, _DEPTHS[-1])], axis=2)
    if raw == _GREY_AND_ALPHA:
        four = _decoded(image, "RGBA")
        return four[:, :, ::2] * _WORD + four[:, :, 1::2]
    if raw == _UNREAD:
        raise ImageFault("the image has planes of 16 bits; store its channels together")
    args = _tiles(image)[0].args
    highest = args[1] if image.format == "PPM" and isinstance(args, tuple) else _DEPTHS[-1]
    with again() as other:
        lower = _decoded(other, raw[:-1] + _OTHER_ENDS[raw[-1]])
    whole: NDArray[Any] = (_decoded(image, raw) * _WORD + lower) * (_DEPTHS[-1] / highest)
    return whole


def _decoded(image: Any, raw: str) -> NDArray[np.float32]:
    """Decode an image whose bytes stand for what the raw mode says."""
    tiles = []
    for tile in _tiles(image):
        if image.format == "PPM":
            tile = tile._replace(codec_name="raw", args=(raw, 0, 1))
        else:
            args = (tile.args,) if isinstance(tile.args, str) else (tile.args or ("",))
            plane = args[0] + raw[raw.index(";") :] if args[0] in _PLANES else raw
            tile = tile._replace(args=(plane, *args[1:]))
        tiles.append(tile)
    image.tile = tiles
    return np.asarray(ImageOps.exif_transpose(image)).astype(np.float32)


def is_grey(image: Image.Image) -> bool:
    """Return whether an image has no colours, before it is decoded."""
    mode = image.mode
    return mode in _GREY or mode.startswith("I;") or _in_words(image) == _GREY_AND_ALPHA


def _in_words(image: Image.Image) -> str:
    """Return the raw mode of an image with channels of 16 bits; empty for others."""
    if _tag(image, TiffImagePlugin.PLANAR_CONFIGURATION) == [_SEPARATE] and _bits(image) == 16:
        return _of_planes(image)
    for tile in _tiles(image)[:1]:
        args: Any = (tile.args,) if isinstance(tile.args, str) else (tile.args or ("",))
        if tile.codec_name == "ppm" and image.mode == "RGB" and args[1] >= _WORD:
            return "RGB;16B"
        if str(args[0])[:-1] in ("RGB;16", "RGBA;16", "RGBX;16") or args[0] == _GREY_AND_ALPHA:
            return str(args[0])
    return ""


def _of_planes(image: Any) -> str:
    """Return the raw mode of channels of 16 bits that are stored one after the other.

    PIL takes them for channels of eight bits; of compressed ones it keeps the upper byte alone.
    """
    if all(tile.codec_name == "raw" and tile.args[0] in _PLANES for tile in _tiles(image)):
        return f"RGB;16{'B' if image.tag_v2.prefix == b'MM' else 'L'}"
    return _UNREAD


def _is_inverted(image: Image.Image) -> bool:
    """Return whether 0 is white in grey values that PIL leaves as they are stored."""
    inverted = _tag(image, TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == [_WHITE_IS_ZERO]
    return inverted and image.mode.startswith("I;")


def _bits(image: Image.Image) -> int:
    return int((_tag(image, TiffImagePlugin.BITSPERSAMPLE) or [1])[0])


def _tag(image: Any, number: int) -> list[Any]:
    """Return the values of a tag of TIFF; none for other formats."""
    found = getattr(image, "tag_v2", {}).get(number, [])
    return list(found) if isinstance(found, tuple | list) else [found]


def _tiles(image: Image.Image) -> Any:
    """Return the parts of a file that are decoded one by one; none for other packages' images."""
    return getattr(image, "tile", ())


def _has_alpha(values: NDArray[Any]) -> bool:
    return values.ndim == 3 and values.shape[2] in (2, 4)


def _colours(values: NDArray[Any]) -> NDArray[Any]:
    return values[:, :, :-1] if _has_alpha(values) else values


def levels_of(found: Iterable[tuple[Depth, NDArray[Any]]]) -> Levels:
    """Return the scale of training images: the smallest usual one that holds all their values."""
    scales = {
        depth: (low, usual_white(high, depth)) for depth, (low, high) in ranges_of(found).items()
    }
    standard = Levels()
    return Levels(
        scales.get("integer", standard.integer),
        scales.get("floating", standard.floating),
        exact=bool(scales),
    )


def ranges_of(found: Iterable[tuple[Depth, NDArray[Any]]]) -> dict[Depth, tuple[float, float]]:
    """Return the lowest and the highest value of each kind of images, at most and at least 0."""
    ranges: dict[Depth, tuple[float, float]] = {}
    for depth, values in found:
        colours = _colours(values)
        finite = colours[np.isfinite(colours)]
        low, high = ranges.get(depth, (0.0, 0.0))
        ranges[depth] = float(finite.min(initial=low)), float(finite.max(initial=high))
    return ranges


def usual_white(highest: float, depth: Depth) -> float:
    """Return the white of the smallest usual scale that holds a value."""
    usual = (1.0, *_DEPTHS) if depth == "floating" else _DEPTHS
    return next((white for white in usual if highest <= white), highest)


def coloured(shares: Shares, channels: int) -> Shares:
    """``[height, width, channels]``, on white where the image is transparent."""
    if _has_alpha(shares):
        alpha = shares[:, :, -1:]
        shares = shares[:, :, :-1] * alpha + (1 - alpha)
    if shares.ndim == 2 or shares.shape[2] == 1:
        return shares.reshape(*shares.shape[:2], 1).repeat(channels, 2)
    return shares if channels == 3 else (shares @ _LUMA)[:, :, None]
