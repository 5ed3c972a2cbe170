"""Images as they are stored, and as arrays of one size.

An image is a record of ``bytes`` and ``path``. Where there are bytes, the path only names them;
where there are none, it is a file.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from engine.data.image_levels import (
    Depth,
    Levels,
    Shares,
    coloured,
    deep_values,
    depth_of,
    is_grey,
    levels_of,
    ranges_of,
)
from engine.data.image_limits import TOO_LARGE, ImageFault, check_size
from engine.data.other_formats import UnsupportedFormat, open_other
from engine.data.threads import in_threads, quick_or_in_threads
from engine.files.sanitize import plain

Pixels = NDArray[np.uint8] | NDArray[np.float32]
"""Bytes, or shares of white."""
Fit = Literal["crop", "stretch"]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""
BoxOf = Callable[[int, int], Box]
"""The part of an image that is taken, by its width and height."""

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")
"""Formats that are plain pixels; PIL would run a PostScript interpreter for others."""
_PAGED = ("GIF", "TIFF", "WEBP", "PNG", "AVIF", "HEIF")
"""Formats with pages or frames; a second one in a JPEG is a preview, or a map of light."""
_TURNED = (5, 6, 7, 8)
"""Orientations in Exif that exchange width and height."""
_BROKEN = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""Exceptions that PIL's decoders raise for damaged files."""

_AT_ONCE = 1 << 23
"""Bytes of the largest file that is read at once."""

# Sizes are checked here, before any pixel is decoded.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class Header:
    """Properties of an image that are known before it is decoded."""

    width: int
    height: int
    grey: bool
    depth: Depth
    paged: bool
    """Whether there are several pages or frames, of which the first is used."""
    see_through: bool = False
    """Whether there is an opacity; what is transparent becomes white."""


def read_header(record: Any) -> Header:
    """Size, colour, depth and pages; raises :class:`ImageFault`."""
    with _opened(record) as image:
        pages, opacity = _has_pages(image), _has_opacity(image)
        return Header(*image.size, is_grey(image), depth_of(image), pages, opacity)


def _has_pages(image: Image.Image) -> bool:
    if image.format in _PAGED:
        return bool(getattr(image, "is_animated", False))
    return int(image.info.get("pages", 1)) > 1


def _has_opacity(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def upright_size(record: Any) -> tuple[int, int]:
    """Width and height of an image as :func:`decode` turns it; raises :class:`ImageFault`."""
    with _opened(record) as image:
        width, height = image.size
        turned = _orientation(image) in _TURNED
    return (height, width) if turned else (width, height)


def orientation_of(record: Any) -> int:
    """Return the orientation in Exif, 1 for an image as it is stored; raises `ImageFault`."""
    with _opened(record) as image:
        return _orientation(image)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _BROKEN:
        return 1


@dataclass(frozen=True, slots=True)
class StoredValues:
    """An image as it is stored: indices of a palette, bits, colours."""

    mode: str
    values: NDArray[Any]
    lossy: bool
    """Whether the format changes values, as JPEG does."""
    palette: Sequence[int] = ()
    """Colours of the indices as 24-bit numbers; empty without a palette."""


def stored_values(record: Any) -> StoredValues:
    """Mode and values of an image as they are stored; raises :class:`ImageFault`."""
    with _opened(record) as image:
        try:
            values, lossy = np.asarray(image), image.format == "JPEG"
            return StoredValues(image.mode, values, lossy, _palette(image))
        except _BROKEN as error:
            raise ImageFault("the image is damaged or cut off") from error


def _palette(image: Image.Image) -> list[int]:
    numbers = (image.getpalette("RGB") or []) if image.mode == "P" else []
    triples = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=False)
    return [red << 16 | green << 8 | blue for red, green, blue in triples]


_STANDARD = Levels()


def decode(
    record: Any,
    size: int,
    channels: int,
    fit: Fit = "crop",
    levels: Levels | None = _STANDARD,
    crop: BoxOf | None = None,
) -> Pixels:
    """``[size, size, channels]`` of bytes, or of shares for exact levels.

    ``fit`` takes the largest square in the middle (``crop``) or all of the image (``stretch``);
    ``crop`` takes another part. Without levels, as in runs of earlier versions, each image of more
    than eight bits has a scale of its own. Raises :class:`ImageFault`.
    """
    box_of = crop or _FITS[fit]
    with _opened(record, whole=True) as image:
        try:
            depth = depth_of(image) if levels else ""
            if levels and depth:
                values = deep_values(image, lambda: _opened(record))
                shares = coloured(levels.shares(values, depth), channels)
                return _as_kept(_resized_shares(shares, size, box_of), levels.exact)
            # Large photographs are decoded at a half, a quarter or an eighth of their size.
            image.draft(None, _least_size(image.size, size, box_of))
            ImageOps.exif_transpose(image, in_place=True)
            pixels = _resized(_coloured(image, channels), size, box_of)
            whole = np.asarray(pixels, np.uint8).reshape(size, size, channels)
        except _BROKEN as error:
            raise ImageFault("the image is damaged or cut off") from error
    return (whole / 255).astype(np.float32) if levels and levels.exact else whole


def _least_size(full: tuple[int, int], size: int, box_of: BoxOf) -> tuple[int, int]:
    """Return the size from which on an image's part has ``size`` pixels, turned or not."""
    left, top, right, bottom = box_of(*full)
    share = min(1.0, size / min(right - left, bottom - top))
    return max(1, int(full[0] * share)), max(1, int(full[1] * share))


def _as_kept(shares: Shares, exact: bool) -> Pixels:
    return shares if exact else (shares * 255).round().astype(np.uint8)


def _resized_shares(shares: Shares, size: int, box_of: BoxOf) -> Shares:
    planes = [
        _resized(Image.fromarray(np.ascontiguousarray(shares[:, :, i])), size, box_of)
        for i in range(shares.shape[2])
    ]
    return np.stack([np.asarray(plane, np.float32) for plane in planes], axis=2)


def _middle(width: int, height: int) -> Box:
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


_FITS: dict[Fit, BoxOf] = {"crop": _middle, "stretch": lambda width, height: (0, 0, width, height)}


def _opened(record: Any, whole: bool = False) -> Image.Image:
    """Open an image; ``whole`` reads the file at once, which decodes faster than by parts."""
    data = record.get("bytes") if isinstance(record, Mapping) else record
    path = record.get("path") if isinstance(record, Mapping) else None
    if data is None and not path:
        raise ImageFault("there is no image")
    try:
        if data is not None:
            source: io.BytesIO | Path = io.BytesIO(data)
        else:
            source = _source_at(Path(str(path)).expanduser(), whole)
        image = _opened_source(source)
    except FileNotFoundError as error:
        raise ImageFault("the image file does not exist") from error
    except IsADirectoryError as error:
        raise ImageFault("it is a folder, name the images in it, such as *.png") from error
    except Image.DecompressionBombError as error:
        raise ImageFault(TOO_LARGE) from error
    except UnsupportedFormat as error:
        raise ImageFault(str(error)) from error
    except _BROKEN as error:
        raise ImageFault("the image cannot be read") from error
    check_size(*image.size)
    return image


def _source_at(path: Path, whole: bool) -> io.BytesIO | Path:
    if whole and path.stat().st_size <= _AT_ONCE:
        return io.BytesIO(path.read_bytes())
    return path


def _opened_source(source: io.BytesIO | Path) -> Image.Image:
    try:
        return Image.open(source, formats=_FORMATS)
    except UnidentifiedImageError:
        return open_other(source)


def _coloured(image: Image.Image, channels: int) -> Image.Image:
    """Eight bits a channel, on white where the image is transparent."""
    if image.mode == "F" or image.mode.startswith("I"):
        image = _eight_bits(image)
    if _has_opacity(image):
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image by its own highest value: bytes as they are, floats from 0 to 1, or 16 bits."""
    values = np.nan_to_num(np.asarray(image, np.float64))
    highest = values.max(initial=0.0)
    if image.mode == "F":
        values = values * 255.0 if highest <= 1.0 else values
    elif highest > 255.0:
        values = values / 257.0
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))


def _resized(image: Image.Image, size: int, box_of: BoxOf) -> Image.Image:
    box = box_of(*image.size)
    if image.size == (size, size) and box == (0, 0, size, size):
        return image
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
    deep: tuple[int, ...] = ()
    """Numbers of the images with more than eight bits a channel."""
    paged: int = 0
    """Number of images with several pages."""
    depths: tuple[Depth, ...] = ()
    """Kinds of values in them."""
    coloured: int = 0
    """Number of those in colour."""
    see_through: int = 0
    """Number of those with an opacity."""


def look(records: Sequence[Any], most: int) -> Sample:
    """Size and colour of those images that can be read; ``side`` is at most ``most``."""
    tried = list(quick_or_in_threads(_header_or_none, records))
    headers = [found for found in tried if found]
    counts = Counter((header.width, header.height) for header in headers)
    sides = sorted(min(header.width, header.height) for header in headers) or [1]
    frequent, count = Counter(sides).most_common(1)[0]
    side = frequent if 2 * count >= len(sides) else sides[len(sides) // 2]
    return Sample(
        {f"{width}×{height}": number for (width, height), number in counts.most_common()},
        all(header.grey for header in headers),
        min(side, most),
        tuple(number for number, header in enumerate(tried) if header and header.depth),
        sum(header.paged for header in headers),
        tuple(sorted({header.depth for header in headers})),
        sum(not header.grey for header in headers),
        sum(header.see_through for header in headers),
    )


def _header_or_none(record: Any) -> Header | None:
    try:
        return read_header(record)
    except ImageFault:
        return None


def find_levels(records: Sequence[Any]) -> Levels:
    """Return the scale of images with more than eight bits; those that are damaged say nothing."""
    return levels_of(found for found in in_threads(_values_or_none, records) if found)


def ranges_in(records: Sequence[Any]) -> dict[Depth, tuple[float, float]]:
    """Return the lowest and the highest value of each kind of images of more than eight bits."""
    return ranges_of(found for found in in_threads(_values_or_none, records) if found)


def _values_or_none(record: Any) -> tuple[Depth, NDArray[Any]] | None:
    try:
        with _opened(record) as image:
            return depth_of(image), deep_values(image, lambda: _opened(record))
    except (ImageFault, *_BROKEN):
        return None


def decode_all(
    records: Sequence[Any],
    size: int,
    channels: int,
    fit: Fit,
    levels: Levels | None = _STANDARD,
    known: Mapping[int, Pixels] = MappingProxyType({}),
) -> tuple[Pixels, dict[int, str]]:
    """``[rows, size, size, channels]``, and the fault of each row that cannot be decoded.

    Rows that are ``known`` are not decoded.
    """
    shape = (len(records), size, size, channels)
    exact = bool(levels and levels.exact)
    pixels: Pixels = np.zeros(shape, np.float32) if exact else np.zeros(shape, np.uint8)
    faults: dict[int, str] = {}

    def put(row: int) -> None:
        try:
            image = known.get(row)
            if image is None:
                image = decode(records[row], size, channels, fit, levels)
            pixels[row] = image
        except ImageFault as fault:
            faults[row] = plain(fault)

    for _ in in_threads(put, range(len(records))):
        pass
    return pixels, faults
