"""Images as they are stored, and as arrays of one size.

An image is a record of ``bytes`` and ``path``. Where there are bytes, the path only names them;
where there are none, it is a file.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.files.sanitize import plain

A = TypeVar("A")
B = TypeVar("B")
Pixels = NDArray[np.uint8]
Fit = Literal["crop", "stretch"]

LARGEST_PIXELS = 100_000_000
"""An image of more pixels is refused: a small file can ask for all memory there is."""
_TOO_LARGE = f"the image has more than {LARGEST_PIXELS // 10**6} million pixels"
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are plain pixels; PIL would run a PostScript interpreter for others."""
_GREY = ("1", "L", "I", "F")
_BROKEN = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""Exceptions that PIL's decoders raise for damaged files."""

# Sizes are checked here, before any pixel is decoded.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class ImageFault(Exception):
    """The reason why an image cannot be used; the same words for the same kind of fault."""


@dataclass(frozen=True, slots=True)
class Header:
    """Properties of an image that are known before it is decoded."""

    width: int
    height: int
    grey: bool


def read_header(record: Any) -> Header:
    """Size and colour; raises :class:`ImageFault`."""
    with _opened(record) as image:
        return Header(*image.size, _is_grey(image.mode))


def decode(record: Any, size: int, channels: int, fit: Fit = "crop") -> Pixels:
    """``uint8[size, size, channels]``; raises :class:`ImageFault`.

    ``crop`` takes the largest square in the middle, ``stretch`` all of the image.
    """
    with _opened(record) as image:
        try:
            # Large photographs are decoded at a half, a quarter or an eighth of their size.
            image.draft(None, (size, size))
            upright = ImageOps.exif_transpose(image)
            coloured = _coloured(upright, channels)
            pixels = _resized(coloured, size, fit)
        except _BROKEN as error:
            raise ImageFault("the image is damaged or cut off") from error
    return np.asarray(pixels, np.uint8).reshape(size, size, channels)


def _opened(record: Any) -> Image.Image:
    data = record.get("bytes") if isinstance(record, Mapping) else record
    path = record.get("path") if isinstance(record, Mapping) else None
    if data is None and not path:
        raise ImageFault("there is no image")
    try:
        source = io.BytesIO(data) if data is not None else Path(str(path)).expanduser()
        image = Image.open(source, formats=_FORMATS)
    except FileNotFoundError as error:
        raise ImageFault("the image file does not exist") from error
    except Image.DecompressionBombError as error:
        raise ImageFault(_TOO_LARGE) from error
    except _BROKEN as error:
        raise ImageFault("the image cannot be read") from error
    if image.width * image.height > LARGEST_PIXELS:
        raise ImageFault(_TOO_LARGE)
    return image


def _is_grey(mode: str) -> bool:
    return mode in _GREY or mode.startswith("I;") or mode == "LA"


def _coloured(image: Image.Image, channels: int) -> Image.Image:
    """Eight bits a channel, on white where the image is transparent."""
    if image.mode == "F" or image.mode.startswith("I"):
        image = _eight_bits(image)
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("L" if channels == 1 else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Of 16 bits the upper eight; floating-point values are taken as they are, or 0 to 1."""
    values = np.nan_to_num(np.asarray(image, np.float64))
    highest = values.max(initial=0.0)
    if image.mode == "F":
        values = values * 255.0 if highest <= 1.0 else values
    elif highest > 255.0:
        values = values / 257.0
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))


def _resized(image: Image.Image, size: int, fit: Fit) -> Image.Image:
    width, height = image.size
    if (width, height) == (size, size):
        return image
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side) if fit == "crop" else (0, 0, width, height)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)


@dataclass(frozen=True)
class Sample:
    """Properties of a data set's images, estimated from a sample."""

    sizes: Mapping[str, int]
    """Number of images by size, the most frequent size first."""
    grey: bool
    """Whether all of them are grey."""
    side: int
    """The side that suits most of them."""


def look(records: Sequence[Any], most: int) -> Sample:
    """Size and colour of those images that can be read; ``side`` is at most ``most``."""
    headers = [found for found in in_threads(_header_or_none, records) if found]
    counts = Counter((header.width, header.height) for header in headers)
    sides = sorted(min(header.width, header.height) for header in headers) or [1]
    frequent, count = Counter(sides).most_common(1)[0]
    side = frequent if 2 * count >= len(sides) else sides[len(sides) // 2]
    return Sample(
        {f"{width}×{height}": number for (width, height), number in counts.most_common()},
        all(header.grey for header in headers),
        min(side, most),
    )


def _header_or_none(record: Any) -> Header | None:
    try:
        return read_header(record)
    except ImageFault:
        return None


def decode_all(
    records: Sequence[Any], size: int, channels: int, fit: Fit
) -> tuple[Pixels, dict[int, str]]:
    """``uint8[rows, size, size, channels]``, and the fault of each row that cannot be decoded."""
    pixels = np.zeros((len(records), size, size, channels), np.uint8)
    faults: dict[int, str] = {}

    def put(row: int) -> None:
        try:
            pixels[row] = decode(records[row], size, channels, fit)
        except ImageFault as fault:
            faults[row] = plain(fault)

    for _ in in_threads(put, range(len(records))):
        pass
    return pixels, faults


_PIECE = 64


def threads() -> int:
    """Threads that decode at once; PIL's decoders do not hold Python's lock."""
    return min(8, os.cpu_count() or 1)


def in_threads(function: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
    """``map`` in several threads, in order."""
    starts = range(0, len(items), _PIECE)
    with ThreadPoolExecutor(threads()) as pool:
        for piece in pool.map(
            lambda start: [
                function(items[i]) for i in range(start, min(start + _PIECE, len(items)))
            ],
            starts,
        ):
            yield from piece
