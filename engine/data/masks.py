"""Masks: images whose values or colours are classes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.image_limits import ImageFault
from engine.data.images import stored_values
from engine.data.turned_images import shown_mask, turn_of_mask
from engine.files.sanitize import plain

MOST_VALUES = 254
"""A mask with more values than this was stored with loss, as JPEG does, or is a photograph."""
IGNORED = 255
"""The class number of pixels that are neither learned nor counted."""
OUTSIDE = "the mask has values outside of the classes"
LOSSY = "the mask is a JPEG file, which changes the values of classes: store masks as PNG"
_NEAR = 64
"""Values of a JPEG that are black, or white, differ by less than this from it."""
_BETWEEN = 0.1
"""Share of pixels at edges, where values of a JPEG lie between black and white."""
_NOISE = 2
"""Largest value of a JPEG that is black everywhere."""
_TWO = 2
_GREY = 0x010101
_WHITE = 0xFFFFFF
_INDEXED = ("1", "L", "P", "I", "I;16", "I;16B")

Codes = NDArray[np.int64]
Stored = Literal["values", "grey", "colours"]
"""Indices; or colours as 24-bit numbers, all of them grey or not."""
Palettes = Literal["alike", "greys", "colours"]
"""Indices that mean the same in all masks; or those of palettes that differ, by what these have."""


@dataclass(frozen=True, slots=True)
class MaskLook:
    """The values of one mask, and the number of pixels with each."""

    width: int
    height: int
    pixels: Mapping[int, int]
    stored: Stored
    lossy: bool = False
    """Whether black and white were found in a JPEG file."""
    turned: bool = False
    """Whether it has the size of the stored pixels of an image that its camera has turned."""
    palette: Sequence[int] = ()
    """Colours of the values as 24-bit numbers; empty for other masks."""


def look_at_mask(record: Any) -> MaskLook:
    """Read a mask's values; raises :class:`ImageFault`."""
    read = _read(record)
    values, counts = np.unique(read.codes, return_counts=True)
    if len(values) > MOST_VALUES:
        raise ImageFault(
            f"the mask has more than {MOST_VALUES} values, as photographs and JPEG files have"
        )
    height, width = read.codes.shape
    pixels = dict(zip(values.tolist(), counts.tolist(), strict=True))
    stored = _stored(values, read.in_colour)
    return MaskLook(width, height, pixels, stored, read.lossy, palette=read.palette)


def object_pixels(record: Any) -> NDArray[np.bool_]:
    """Return the pixels of the only object in a mask; raises :class:`ImageFault`.

    Those are the pixels that are not black.
    """
    codes = _read(record).codes
    if len(np.unique(codes)) > _TWO:
        raise ImageFault("the mask of one object has more than two values")
    return np.asarray(codes != 0, np.bool_)


def palettes_of(looks: Iterable[MaskLook]) -> Palettes:
    """Return whether an index has one colour in all masks; else whether all colours are grey.

    Programs that store as few colours as a mask has give it a palette of its own.
    """
    colours: dict[int, set[int]] = defaultdict(set)
    for look in looks:
        for value in look.pixels if look.palette else ():
            colours[value].add(look.palette[value] if value < len(look.palette) else -1)
    if all(len(found) == 1 for found in colours.values()):
        return "alike"
    return "colours" if any(one % _GREY for found in colours.values() for one in found) else "greys"


@dataclass(frozen=True, slots=True)
class MaskCoding:
    """From the values of masks to numbers of classes."""

    values: tuple[int, ...]
    """The mask value, or the colour, of each class."""
    ignored: int | None
    """The value that is neither learned nor counted."""
    coloured: bool
    """Whether values are colours."""
    greys: bool = False
    """Whether indices stand for the grey values in the palette of their mask."""

    def pixels(self, look: MaskLook) -> dict[int, int]:
        """Return the pixels of a mask by value, as :attr:`values` have it."""
        if self._by_palette(look.palette):
            colours = Counter[int]()
            for value, count in look.pixels.items():
                colours[look.palette[value] & (0xFF if self.greys else _WHITE)] += count
            return dict(colours)
        grey = look.stored == "grey" and not self.coloured
        return {value & 0xFF if grey else value: count for value, count in look.pixels.items()}

    def _by_palette(self, palette: Sequence[int]) -> bool:
        """Whether the classes are colours or greys, and the mask has indices of a palette."""
        return (self.coloured or self.greys) and len(palette) > 0

    def unknown(self, look: MaskLook) -> list[int]:
        """Return the values of a mask that belong to no class."""
        if look.stored == "colours" and not self.coloured:
            return sorted(look.pixels)
        return sorted(self.pixels(look).keys() - {*self.values, self.ignored})

    def numbers(self, record: Any, size: int, image: Any = None) -> NDArray[np.uint8]:
        """``[size, size]`` numbers of classes, :data:`IGNORED` for ignored pixels.

        The whole mask is stretched by its nearest pixels, and turned where it was drawn on the
        stored pixels of an ``image`` that its camera has turned. Raises :class:`ImageFault`.
        """
        read = _read(record)
        codes = read.codes
        if self._by_palette(read.palette):
            codes = np.array(read.palette, np.int64)[codes] & (0xFF if self.greys else _WHITE)
        if read.in_colour and not self.coloured:
            if _stored(codes, read.in_colour) == "colours":
                raise ImageFault(OUTSIDE)
            codes = codes & 0xFF
        mask = Image.fromarray(self._numbered(codes))
        turned = 0 if image is None else turn_of_mask(image, mask.size)
        mask = shown_mask(mask, turned) if turned else mask
        return np.asarray(mask.resize((size, size), Image.Resampling.NEAREST), np.uint8)

    def _numbered(self, codes: Codes) -> NDArray[np.uint8]:
        order = np.argsort(self.values)
        known = np.array(self.values, np.int64)[order]
        places = np.searchsorted(known, codes).clip(max=len(known) - 1)
        found = known[places] == codes
        if not (found | (codes == self.ignored)).all():
            raise ImageFault(OUTSIDE)
        return np.where(found, order[places], IGNORED).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class _Read:
    """``[height, width]`` values, or 24-bit colours, and how they are stored."""

    codes: Codes
    in_colour: bool = False
    lossy: bool = False
    palette: Sequence[int] = ()


def _read(record: Any) -> _Read:
    """Read the values of a mask; raises :class:`ImageFault`."""
    try:
        stored = stored_values(record)
    except ImageFault as fault:
        raise ImageFault(str(fault).replace("image", "mask")) from fault
    mode, values = stored.mode, stored.values
    if stored.lossy:
        return _Read(_black_and_white(values), lossy=True)
    if mode in _INDEXED:
        return _Read(values.astype(np.int64), palette=stored.palette)
    if mode == "LA":
        return _Read(values[:, :, 0].astype(np.int64))
    if mode in ("RGB", "RGBA"):
        red, green, blue = (values[:, :, place].astype(np.int64) for place in range(3))
        return _Read((red << 16) | (green << 8) | blue, in_colour=True)
    raise ImageFault(f"masks of the mode {plain(mode, 20)} cannot be read")


def _black_and_white(values: NDArray[Any]) -> Codes:
    """Return 0 and 255 for the values of a JPEG that are nearly so; raises :class:`ImageFault`.

    JPEG changes values, most at edges: other classes than these two cannot be told apart.
    """
    grey = values.astype(np.int64)
    grey = grey if grey.ndim == 2 else grey[:, :, :3].mean(axis=2).round().astype(np.int64)
    dark, light = grey < _NEAR, grey > 255 - _NEAR
    hidden = not light.any() and grey.max(initial=0) > _NOISE  # classes such as 1, 2 and 3
    if hidden or (~dark & ~light).mean() > _BETWEEN:
        raise ImageFault(LOSSY)
    return np.where(grey > 127, 255, 0)


def _stored(codes: Codes, in_colour: bool) -> Stored:
    if not in_colour:
        return "values"
    return "colours" if (codes % _GREY).any() else "grey"
