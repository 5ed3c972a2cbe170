"""Redrawn parts of a line, and texts that fill the cells of a column."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip

from tui.charts.canvas import difference
from tui.widgets.columns import _fit_text, fit

PIECES = st.lists(st.tuples(st.text("ab日", max_size=4), st.sampled_from(["", "bold"])), max_size=5)


def strip(pieces: list[tuple[str, str]]) -> Strip:
    return Strip([Segment(text, Style.parse(style)) for text, style in pieces])


def cells(line: Strip) -> list[tuple[str, int, object]]:
    """The character, the part of the character, and the style of each cell."""
    return [
        (one, part, style)
        for text, style, _ in line
        for one in text
        for part in range(2 if one == "日" else 1)
    ]


@given(PIECES, PIECES)
def test_the_cells_that_differ_are_sent_and_none_around_them(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    old, new = cells(strip(before)), cells(strip(after))
    region = difference(3, strip(before), strip(after))
    assert (region.y, region.height) == (3, 1)
    if len(old) == len(new):
        differ = [place for place in range(len(old)) if old[place] != new[place]]
        first, end = (differ[0], differ[-1] + 1) if differ else (region.x, region.x)
    else:
        pairs = enumerate(zip(old, new, strict=False))
        first = next((place for place, (a, b) in pairs if a != b), min(len(old), len(new)))
        end = max(len(old), len(new))
    assert (region.x, region.right) == (first, end)


@given(st.text("ab日é ", max_size=12), st.integers(1, 9), st.booleans())
def test_a_text_fills_its_column_as_content_with_a_style_does(
    text: str, width: int, right: bool
) -> None:
    assert _fit_text(text, width, right) == fit(Content(text), width, right).plain
