"""Masks: images whose values or colours are classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.image_limits import ImageFault
from engine.data.images import stored_values
from engine.files.sanitize import plain

MOST_VALUES = 254
"""A mask with more values than this was stored with loss, as JPEG does, or is a photograph."""
IGNORED = 255
"""The class number of pixels that are neither learned nor counted."""
OUTSIDE = "the mask has values outside of the classes"
_GREY = 0x010101
_INDEXED = ("1", "L", "P", "I", "I;16", "I;16B")

Codes = NDArray[np.int64]
Stored = Literal["values", "grey", "colours"]
"""Indices; or colours as 24-bit numbers, all of them grey or not."""


@dataclass(frozen=True, slots=True)
class MaskLook:
    """The values of one mask, and the number of pixels with each."""

    width: int
    height: int
    pixels: Mapping[int, int]
    stored: Stored


def look_at_mask(record: Any) -> MaskLook:
    """Read a mask's values; raises :class:`ImageFault`."""
    codes, in_colour = _codes(record)
    values, counts = np.unique(codes, return_counts=True)
    if len(values) > MOST_VALUES:
        raise ImageFault(
            f"the mask has more than {MOST_VALUES} values, as photographs and JPEG files have"
        )
    height, width = codes.shape
    pixels = dict(zip(values.tolist(), counts.tolist(), strict=True))
    return MaskLook(width, height, pixels, _stored(values, in_colour))


@dataclass(frozen=True, slots=True)
class MaskCoding:
    """From the values of masks to numbers of classes."""

    values: tuple[int, ...]
    """The mask value, or the colour, of each class."""
    ignored: int | None
    """The value that is neither learned nor counted."""
    coloured: bool
    """Whether values are colours."""

    def pixels(self, look: MaskLook) -> dict[int, int]:
        """Return the pixels of a mask by value, as :attr:`values` have it."""
        grey = look.stored == "grey" and not self.coloured
        return {value & 0xFF if grey else value: count for value, count in look.pixels.items()}

    def unknown(self, look: MaskLook) -> list[int]:
        """Return the values of a mask that belong to no class."""
        if look.stored == "colours" and not self.coloured:
            return sorted(look.pixels)
        return sorted(self.pixels(look).keys() - {*self.values, self.ignored})

    def numbers(self, record: Any, size: int) -> NDArray[np.uint8]:
        """``[size, size]`` numbers of classes, :data:`IGNORED` for ignored pixels.

        The whole mask is stretched by its nearest pixels. Raises :class:`ImageFault`.
        """
        codes, in_colour = _codes(record)
        if in_colour and not self.coloured:
            if _stored(codes, in_colour) == "colours":
                raise ImageFault(OUTSIDE)
            codes = codes & 0xFF
        image = Image.fromarray(self._numbered(codes))
        return np.asarray(image.resize((size, size), Image.Resampling.NEAREST), np.uint8)

    def _numbered(self, codes: Codes) -> NDArray[np.uint8]:
        order = np.argsort(self.values)
        known = np.array(self.values, np.int64)[order]
        places = np.searchsorted(known, codes).clip(max=len(known) - 1)
        found = known[places] == codes
        if not (found | (codes == self.ignored)).all():
            raise ImageFault(OUTSIDE)
        return np.where(found, order[places], IGNORED).astype(np.uint8)


def _codes(record: Any) -> tuple[Codes, bool]:
    """``[height, width]`` values, or 24-bit colours, and whether they are colours.

    Raises :class:`ImageFault`.
    """
    try:
        mode, values = stored_values(record)
    except ImageFault as fault:
        raise ImageFault(str(fault).replace("image", "mask")) from fault
    if mode in _INDEXED:
        return values.astype(np.int64), False
    if mode == "LA":
        return values[:, :, 0].astype(np.int64), False
    if mode in ("RGB", "RGBA"):
        red, green, blue = (values[:, :, place].astype(np.int64) for place in range(3))
        return (red << 16) | (green << 8) | blue, True
    raise ImageFault(f"masks of the mode {plain(mode, 20)} cannot be read")


def _stored(codes: Codes, in_colour: bool) -> Stored:
    if not in_colour:
        return "values"
    return "colours" if (codes % _GREY).any() else "grey"
