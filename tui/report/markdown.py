"""A page as Markdown; charts are drawn with characters, so that the file is all there is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle

from engine.files.sanitize import plain
from tui.charts.plot import Line, Plot, draw
from tui.report.page import Block, Diagram, Facts, Grid, Page, Passage, Point

_LONGEST = 20_000
_SIZE = 78, 18
_MARKED = 50
"""Points of a curve up to which each is marked; more would cover the curve."""
_MARKERS = "·", "x", "o", "+", "*"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def markdown(page: Page) -> str:
    """The whole file."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    yield f"# {_text(page.title)}"
    for part in page.parts:
        yield f"\n## {_text(part.title)}"
        for block in part.blocks:
            yield ""
            yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Facts():
            yield from _table(("", ""), block.pairs.items())
        case Grid():
            yield from _table(block.columns, block.rows)
        case Diagram():
            yield from _fenced(_chart(block))
        case Passage():
            yield from _fenced(plain(line, _LONGEST) for line in block.text.split("\n"))


def _chart(diagram: Diagram) -> Iterator[str]:
    looks = list(zip(diagram.curves.items(), cycle(_MARKERS)))
    lines = [_line(name, points, marker, name in diagram.dots) for (name, points), marker in looks]
    yield from (line.plain.rstrip() for line in draw(Plot(lines), *_SIZE))
    legend = "   ".join(f"{marker} {plain(name)}" for (name, _), marker in looks)
    yield f"{legend}   ({plain(diagram.axis)})" if diagram.axis else legend


def _line(name: str, points: Sequence[Point], marker: str, dots: bool) -> Line:
    marked = dots or len(points) <= _MARKED
    return Line(name, points, (0, 0, 0), marker if marked else "", not dots)


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    headings = list(map(_text, columns))
    yield "| " + " | ".join(headings) + " |"
    yield "|---" * len(headings) + "|"
    for row in rows:
        yield "| " + " | ".join(map(_text, row)) + " |"


def _fenced(lines: Iterable[str]) -> Iterator[str]:
    """A block of code, its fence longer than any run of backticks inside."""
    inside = list(lines)
    longest = max((len(run) for line in inside for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (fence, *inside, fence)


def _text(text: str) -> str:
    """Nothing in it is taken for markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(plain(line, _LONGEST) for line in text.split("\n")))
