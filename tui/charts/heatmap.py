"""A matrix of counts as coloured cells with their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.color import Color
from textual.content import Content
from textual.style import Style

from engine.reports.views import Matrix
from tui.format.cells import cell_len
from tui.format.text import literal

_LABEL = 14


def heatmap(matrix: Matrix, low: Color, high: Color, room: int = 80) -> list[Content]:
    """Lines for a matrix whose rows are the truth; each cell's shade is its share of the row.

    Columns are as wide as their labels where ``room`` cells allow it.
    """
    labels = [str(label) for label in matrix.labels]
    largest = max((value for row in matrix.values for value in row), default=0)
    longest = max(map(cell_len, labels), default=0)
    fair = (room - 1) // (len(labels) + 1)
    head = max(6, min(longest, max(_LABEL, fair)))
    fitting = (room - head - 1) // max(1, len(labels))
    width = max(4, len(_number(largest)) + 2, min(longest + 2, fitting, max(_LABEL, fair)))
    lines = [
        literal("rows: truth   columns: prediction   shade: share of the row").stylize(
            "$foreground 60%"
        ),
        Content(" " * (head + 1)) + _headings(labels, width),
    ]
    for label, row in zip(labels, matrix.values, strict=False):
        lines.append(_fit(label, head) + Content(" ") + _row(row, width, low, high))
    return lines


def _headings(labels: Sequence[str], width: int) -> Content:
    cells = [literal(label).truncate(width - 1, ellipsis=True) for label in labels]
    return Content("").join(cell.pad_left(width - cell.cell_length) for cell in cells)


def _fit(label: str, width: int) -> Content:
    return literal(label).truncate(width, ellipsis=True, pad=True)


def _row(values: Sequence[float], width: int, low: Color, high: Color) -> Content:
    total = sum(values) or 1.0
    return Content("").join(_cell(value, value / total, width, low, high) for value in values)


def _cell(value: float, share: float, width: int, low: Color, high: Color) -> Content:
    background = low.blend(high, math.sqrt(share))  # so that rare mistakes are seen too
    style = Style(background=background, foreground=background.get_contrast_text())
    text = _number(value) if value else "·"
    return Content.styled(f"{text:>{width - 1}} ", style)


def _number(value: float) -> str:
    """Return a count with all its digits, or a share."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"
