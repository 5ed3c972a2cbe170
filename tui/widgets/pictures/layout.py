"""The lines of a sheet of pictures: which stand side by side, below which heading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.reports.picture import Picture, PictureGroup
from tui.charts.half_blocks import rows_of, width_within

GAP = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, or pictures side by side with their captions; in words, one a line."""

    top: int
    height: int
    title: str = ""
    colour: tuple[int, int, int] | None = None
    """The colour that stands before the title."""
    pictures: Sequence[Picture] = ()
    first: int = 0
    """Number of the first of these pictures, counted from the beginning of the sheet."""
    captions: bool = True
    """Whether captions are written; below a heading that says the same they are not."""

    def holds(self, place: int) -> bool:
        """Return whether a picture is one of these, by its number."""
        return self.first <= place < self.first + len(self.pictures)


def rows_in(groups: Sequence[PictureGroup], width: int, side: int, drawn: bool) -> list[Row]:
    """Return the rows of a sheet ``width`` cells wide with pictures of at most ``side`` cells.

    Unless they are ``drawn``, pictures are described in words.
    """
    found: list[Row] = []
    top = first = 0
    for group in groups:
        if group.title:
            found.append(Row(top, 1, group.title, group.colour))
            top += 1
        rows = _side_by_side(group.pictures, width, side) if drawn else _one_each(group.pictures)
        for shown in rows:
            tallest = max(rows_of(picture, width_of(picture, side)) for picture in shown)
            height = tallest + 1 if drawn else 1
            found.append(Row(top, height, "", None, shown, first, not group.title))
            top, first = top + height, first + len(shown)
    return found


def _one_each(pictures: Sequence[Picture]) -> Iterator[list[Picture]]:
    yield from ([picture] for picture in pictures)


def width_of(picture: Picture, side: int) -> int:
    """Return the cells of a picture's width in a square of ``side`` pixels."""
    return width_within(picture, side, max(1, side // 2))


def _side_by_side(pictures: Sequence[Picture], width: int, side: int) -> Iterator[list[Picture]]:
    row: list[Picture] = []
    used = 0
    for picture in pictures:
        wide = width_of(picture, side) + GAP
        if row and used + wide > width + GAP:
            yield row
            row, used = [], 0
        row.append(picture)
        used += wide
    if row:
        yield row
