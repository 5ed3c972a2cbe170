"""Results of lm-eval as lines on a screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from textual.content import Content

from tui.format.evals import evals_table
from tui.format.text import literal

_MUTED = "$foreground 60%"


def benchmark_lines(evals: Mapping[str, Any] | None) -> Iterator[Content]:
    """Yield the results of lm-eval, a row a metric; nothing where there are none."""
    headings, rows = evals_table(evals)
    if not rows:
        return
    widths = [max(map(len, column)) + 2 for column in zip(headings, *rows, strict=True)]
    yield Content.styled("Benchmarks", "bold $primary")
    for row in (headings, *rows):
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield literal("".join(cells).rstrip(), 200).stylize(_MUTED if row is headings else "")
    yield Content("")
