"""The page of a run: complete, and with all texts escaped."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from textual.color import Color

from engine.files.sanitize import plain
from engine.reports.views import Matrix
from tui.charts.heatmap import heatmap
from tui.report.html import html
from tui.report.markdown import markdown
from tui.report.page import Diagram, Facts, Grid, Page, Part, Passage, view_blocks
from tui.report.svg import chart

HOSTILE = "<script>alert(1)</script> | `x` \x1b[31m ![a](http://b) \u202e"


class Elements(HTMLParser):
    """Names of all elements, and the text between them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def page(*blocks: Facts | Grid | Diagram | Passage) -> Page:
    return Page("a run", [Part("a part", blocks)])


HOSTILE_PAGE = Page(
    HOSTILE,
    [
        Part(
            HOSTILE,
            [
                Facts({HOSTILE: HOSTILE}),
                Grid([HOSTILE], [[HOSTILE]]),
                Diagram(HOSTILE, {HOSTILE: [(0.0, 1.0), (1.0, 2.0)]}),
                Passage(HOSTILE + "\n```\n" + HOSTILE),
            ],
        )
    ],
)


def test_html_shows_markup_as_text() -> None:
    elements = Elements(html(HOSTILE_PAGE))
    assert "script" not in elements.names
    assert "img" not in elements.names
    assert elements.text.count("<script>alert(1)</script>") >= 7


@pytest.mark.parametrize("write", [html, markdown])
def test_no_character_of_control_reaches_the_file(write: object) -> None:
    text = write(HOSTILE_PAGE)  # type: ignore[operator]
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_markdown_escapes_markup_and_keeps_the_columns_of_a_table() -> None:
    row = markdown(page(Grid(["a", "b"], [["1 | 2", "<b>"]]))).splitlines()[-1]
    assert row == r"| 1 \| 2 | \<b\> |"


@given(title=st.text(max_size=40), cell=st.text("ab &;#x26lt<>|\\`*_[]()!~\n", max_size=40))
@example(title="a &lt; b", cell="&copy;")
@settings(max_examples=50, deadline=None)
def test_a_reader_of_markdown_finds_the_texts_as_they_were(title: str, cell: str) -> None:
    grid = Grid(["first", cell], [["1", cell], [cell, "2"]])
    tokens = (
        MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
        .parse(markdown(Page(title, [Part(cell, [grid])])))
    )
    shown = [
        "".join(child.content for child in token.children or [])
        for token in tokens
        if token.type == "inline"
    ]
    title, cell = (
        " ".join(plain(line) for line in text.split("\n")).strip() for text in (title, cell)
    )
    assert shown == [title, cell, "first", cell, "1", cell, cell, "2"]


def test_markdown_fences_hold_what_has_fences_itself() -> None:
    lines = markdown(page(Passage("before\n```\nafter"))).splitlines()
    assert lines[-5:] == ["````", "before", "```", "after", "````"]


def test_html_draws_each_curve_and_names_it() -> None:
    curves = {"train": [(0.0, 3.0), (1.0, 2.0)], "validation": [(1.0, 2.5)]}
    elements = Elements(html(page(Diagram("update", curves))))
    assert elements.names.count("polyline") == 2
    assert elements.names.count("circle") == 1
    for word in (*curves, "update"):
        assert word in elements.text


def test_points_of_a_curve_without_a_line_are_dots() -> None:
    points = [(0.0, 3.0), (1.0, 2.0)]
    diagram = Diagram("", {"truth": points, "filled in (2)": points}, ["filled in (2)"])
    elements = Elements(html(page(diagram)))
    assert elements.names.count("polyline") == 1
    assert elements.names.count("circle") == 3  # one of them is in the legend
    drawn = markdown(page(Diagram("", {"filled in (2)": points}, ["filled in (2)"])))
    assert drawn.count("·") == 3
    assert not any(0x2800 <= ord(character) < 0x2900 for character in drawn)


@pytest.mark.parametrize("count", [1, 4, 5, 11])
def test_every_curve_has_its_name_within_the_picture(count: int) -> None:
    names = [f"curve {number}" for number in range(count)]
    root = ElementTree.fromstring(chart({name: [(0.0, 1.0), (1.0, 2.0)] for name in names}, "step"))
    *_, width, height = map(float, root.attrib["viewBox"].split())
    places = {
        element.text: (float(element.attrib["x"]), float(element.attrib["y"]))
        for element in root.iter("text")
    }
    named = [places[name] for name in names]
    assert all(x + 100 <= width and y <= height for x, y in named)
    for one, other in itertools.combinations(
        [*named, (places["step"][0] - 100, places["step"][1])], 2
    ):
        assert abs(one[0] - other[0]) >= 90 or abs(one[1] - other[1]) >= 12


def test_curves_without_a_finite_point_leave_no_chart() -> None:
    nothing = page(Diagram("update", {"loss": [(0.0, float("nan")), (1.0, float("inf"))]}))
    assert "<svg" not in html(nothing)


def test_a_confusion_matrix_has_counts_with_all_their_digits() -> None:
    matrix = Matrix("Confusion matrix", ["no", "yes"], [[31, 1], [1_234_567_890, 6]])
    (grid,) = view_blocks(matrix)
    assert isinstance(grid, Grid)
    assert list(grid.rows) == [["no", "31", "1"], ["yes", "1234567890", "6"]]
    _, _, first, second = (line.plain for line in heatmap(matrix, Color(0, 0, 0), Color(9, 9, 9)))
    assert first.split() == ["no", "31", "1"]
    assert second.split() == ["yes", "1,234,567,890", "6"]
