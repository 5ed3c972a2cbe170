"""Pictures as half blocks: a cell shows two pixels, one as its letter, one as its background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip
from textual.style import Style as TextStyle

from engine.reports.picture import Picture

_KEPT = 512
"""Pictures whose lines are kept."""
_UPPER_HALF = "▀"
Pixel = tuple[int, int, int]


def rows_of(picture: Picture, width: int) -> int:
    """Return the lines that a picture takes when it is ``width`` cells wide."""
    return max(1, round(width * picture.height / picture.width / 2))


def width_within(picture: Picture, width: int, rows: int) -> int:
    """Return the cells of a picture's greatest width within ``width`` cells and ``rows`` lines."""
    return max(1, min(width, int(2 * rows * picture.width / picture.height)))


@lru_cache(_KEPT)
def half_blocks(picture: Picture, width: int) -> tuple[Strip, ...]:
    """Return the lines of a picture that is ``width`` cells wide."""
    rows = scaled(picture, width, 2 * rows_of(picture, width))
    return tuple(
        Strip([_segment(*pair, len(list(same))) for pair, same in groupby(zip(*two, strict=True))])
        for two in zip(rows[::2], rows[1::2], strict=True)
    )


def picture_lines(picture: Picture, width: int) -> list[Content]:
    """Return the same lines for a text."""
    return [
        Content.assemble(*((text, _style(style)) for text, style, _ in strip))
        for strip in half_blocks(picture, width)
    ]


def _style(style: Style | None) -> TextStyle:
    return TextStyle() if style is None else TextStyle.from_rich_style(style)


def scaled(picture: Picture, width: int, height: int) -> list[list[Pixel]]:
    """Return the pixels of a picture in another size: the means of up to four of its own."""
    pixels = picture.pixels
    across, down = _samples(picture.width, width), _samples(picture.height, height)
    return [
        [_mean(pixels, [y * picture.width + x for y in ys for x in xs]) for xs in across]
        for ys in down
    ]


def _samples(length: int, wanted: int) -> list[Sequence[int]]:
    """Return for each of ``wanted`` places the one or two of ``length`` that stand for it."""
    share = length / wanted
    if share <= 1:
        return [[int((place + 0.5) * share)] for place in range(wanted)]
    return [
        sorted({int((place + 0.25) * share), int((place + 0.75) * share)})
        for place in range(wanted)
    ]


def _mean(pixels: bytes, places: Sequence[int]) -> Pixel:
    if len(places) == 1:
        first = 3 * places[0]
        return pixels[first], pixels[first + 1], pixels[first + 2]
    red, green, blue = (sum(pixels[3 * place + i] for place in places) for i in range(3))
    return red // len(places), green // len(places), blue // len(places)


def _segment(upper: Pixel, lower: Pixel, count: int) -> Segment:
    """Return ``count`` cells of two pixels; a blank where both are alike takes fewer bytes."""
    below = Color.from_rgb(*lower)
    if upper == lower:
        return Segment(" " * count, Style(bgcolor=below))
    return Segment(_UPPER_HALF * count, Style(color=Color.from_rgb(*upper), bgcolor=below))


def side_by_side(
    parts: Sequence[Sequence[Strip]], widths: Sequence[int], gap: int, blank: Style
) -> Iterator[Strip]:
    """Yield the lines of parts beside each other, each as wide as its place."""
    between = Segment(" " * gap, blank)
    for y in range(max(map(len, parts), default=0)):
        segments: list[Segment] = []
        for part, width in zip(parts, widths, strict=True):
            line = part[y] if y < len(part) else Strip.blank(0)
            segments += [*line.adjust_cell_length(width, blank), between]
        yield Strip(segments)
