"""Images that a camera has noted to be turned, and places that were marked on their stored pixels.

Tools such as labelImg pass over the note in Exif: what they draw is to be turned like the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image

from engine.data.images import orientation_of, upright_size

_Point = tuple[float, float]
_TURNS: Mapping[int, Callable[[float, float, float, float], _Point]] = {
    5: lambda x, y, width, height: (y, x),
    6: lambda x, y, width, height: (height - y, x),
    7: lambda x, y, width, height: (height - y, width - x),
    8: lambda x, y, width, height: (y, width - x),
}
"""From a point of the stored image, and its width and height, to the point as it is shown."""
_TRANSPOSITIONS = {
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def marked_as_stored(record: Any, stated: Sequence[int], upright: Sequence[int]) -> int:
    """Return the orientation of an image whose stated size is that of its stored pixels; else 0.

    ``upright`` is its size as it is shown. A square, or an image upside down, does not tell. Raises
    :class:`ImageFault`.
    """
    if tuple(stated) == tuple(upright) or tuple(stated) != tuple(upright)[::-1]:
        return 0
    orientation = orientation_of(record)
    return orientation if orientation in _TURNS else 0


def turn_of_mask(image: Any, size: Sequence[int]) -> int:
    """Return the orientation of an image whose mask has the size of its stored pixels; else 0.

    Raises :class:`ImageFault`.
    """
    return marked_as_stored(image, size, upright_size(image))


def shown_mask(mask: Image.Image, orientation: int) -> Image.Image:
    """Return a mask of the stored pixels of an image as the image is shown."""
    return mask.transpose(_TRANSPOSITIONS[orientation])


def turned_box(sides: Sequence[Any], orientation: int, stored: Sequence[int]) -> Sequence[Any]:
    """Return left, top, right, bottom on the image as it is shown; as they are for no numbers."""
    turn, (width, height) = _TURNS[orientation], stored
    try:
        left, top, right, bottom = (float(side) for side in sides)
    except (TypeError, ValueError):
        return sides
    if right < left or bottom < top:  # no box: what is left out is not made one
        return sides
    one, other = turn(left, top, width, height), turn(right, bottom, width, height)
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(one, other, strict=True))
    return left, top, right, bottom
