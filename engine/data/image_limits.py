"""Limits to what an image may ask for, checked before any pixel is decoded."""

from __future__ import annotations

LARGEST_PIXELS = 100_000_000
"""An image of more pixels is refused: a small file can ask for all memory there is."""


class ImageFault(Exception):
    """The reason why an image cannot be used; the same words for the same kind of fault."""


TOO_LARGE = f"the image has more than {LARGEST_PIXELS // 10**6} million pixels"


def check_size(width: int, height: int) -> None:
    """Raise :class:`ImageFault` for too many pixels."""
    if width * height > LARGEST_PIXELS:
        raise ImageFault(TOO_LARGE)
