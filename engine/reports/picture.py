"""Small pictures of images, for screens that load no decoder."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass

MOST_SIDE = 256
"""Pixels of the longest side that a screen accepts."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A small copy of an image, with the words that stand below it.

    Raises ``ValueError`` where the number of pixels is not that of the sides.
    """

    width: int
    height: int
    rgb: str
    """Red, green and blue of each pixel, row by row, as bytes in base64."""
    caption: str = ""
    """Class, prediction, or whatever the picture is to be told by."""
    name: str = ""
    """The file or the row that the image is from."""
    size: str = ""
    """Width and height of the image itself, such as ``640×480``; empty where unknown."""

    def __post_init__(self) -> None:
        sides = self.width, self.height
        if not all(isinstance(side, int) and 0 < side <= MOST_SIDE for side in sides):
            raise ValueError(f"a picture has at most {MOST_SIDE}×{MOST_SIDE} pixels")
        if len(self.pixels) != 3 * self.width * self.height:
            raise ValueError("a picture has three bytes a pixel")

    @property
    def pixels(self) -> bytes:
        """Red, green and blue of each pixel, row by row."""
        return base64.b64decode(self.rgb, validate=True)

    @property
    def words(self) -> str:
        """The picture in words, for terminals that cannot show it."""
        size = f"{self.size or f'{self.width}×{self.height}'} px"
        return "  ".join(filter(None, [self.caption, self.name, size]))


@dataclass(frozen=True, slots=True)
class PictureGroup:
    """Pictures under one heading, such as those of a class."""

    title: str
    pictures: tuple[Picture, ...]
    colour: tuple[int, int, int] | None = None
    """The colour that stands for them in the pictures: red, green and blue."""


def read_groups(records: object) -> list[PictureGroup]:
    """Read groups back from the JSON values of :func:`dataclasses.asdict`.

    Raises ``KeyError``, ``TypeError`` and ``ValueError`` for others.
    """
    if not isinstance(records, list):
        raise TypeError("groups of pictures are a list")
    return [
        PictureGroup(
            str(record["title"]),
            tuple(Picture(**one) for one in record["pictures"]),
            _colour(record.get("colour")),
        )
        for record in records
    ]


def _colour(value: object) -> tuple[int, int, int] | None:
    if value is None:
        return None
    red, green, blue = (int(part) for part in value)  # type: ignore[attr-defined]
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError("a colour has three parts from 0 to 255")
    return red, green, blue


def read_pictures(records: object) -> list[Picture]:
    """Read pictures back; those that are none are left out."""
    found = []
    for record in records if isinstance(records, list | tuple) else ():
        with contextlib.suppress(TypeError, ValueError):
            found.append(Picture(**record))
    return found
