"""A page as one HTML file that needs nothing else: no external script, font or image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from engine.files.sanitize import plain
from tui.report.page import Block, Diagram, Facts, Grid, Page, Passage
from tui.report.svg import chart

_LONGEST = 20_000
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid #8884; }
pre { overflow-x: auto; padding: .8rem; background: #8882; white-space: pre-wrap; }
svg { max-width: 100%; height: auto; }
"""


def html(page: Page) -> str:
    """The whole file."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    title = _text(page.title)
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f"<style>{_STYLE}</style></head><body>\n<h1>{title}</h1>"
    for part in page.parts:
        yield f"<h2>{_text(part.title)}</h2>"
        yield from map(_block, part.blocks)
    yield "</body></html>"


def _block(block: Block) -> str:
    match block:
        case Facts():
            rows = (_row(pair, "td") for pair in block.pairs.items())
            return f"<table>{''.join(rows)}</table>"
        case Grid():
            head, rows = _row(block.columns, "th"), (_row(row, "td") for row in block.rows)
            return f"<table>{head}{''.join(rows)}</table>"
        case Diagram():
            return chart(block.curves, block.axis, block.dots)
        case Passage():
            return f"<pre>{_text(block.text)}</pre>"


def _row(cells: Iterable[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"


def _text(text: str) -> str:
    """Nothing in it is taken for markup, and no character of control is left."""
    return "\n".join(escape(plain(line, _LONGEST)) for line in text.split("\n"))
