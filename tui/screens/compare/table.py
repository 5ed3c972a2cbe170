"""The tables of a comparison as text: a row a field or metric, a column a run."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from engine.runs.comparison import Comparison, Row, shown_text, text_of
from engine.runs.history import History
from tui.format.captions import caption_width, captioned
from tui.format.live_changes import live_changes
from tui.format.text import literal
from tui.widgets.columns import fit

_WIDEST = 32
_METRIC = 40
"""Cells of the longest name of a metric."""
_MUTED = "$foreground 60%"


def names_of(comparison: Comparison) -> list[str]:
    """Return the names of the runs; the ids where names are equal."""
    names = [run.name for run in comparison.runs]
    return [run.name if names.count(run.name) == 1 else run.id for run in comparison.runs]


def table(heads: Sequence[Content], rows: Sequence[Row], nothing: str) -> list[Content]:
    """Return the rows under a heading for each run; the best values are marked.

    ``nothing`` is the text where there are no rows.
    """
    if not rows:
        return [Content.styled(nothing, _MUTED)]
    names = [literal(row.name, 60) for row in rows]
    columns = [[head, *(_cell(row, place) for row in rows)] for place, head in enumerate(heads)]
    captions = _fitted([Content(""), *names])
    fitted = [_fitted(column) for column in columns]
    return [
        Content("  ").join([caption.stylize(_MUTED), *(column[place] for column in fitted)])
        for place, caption in enumerate(captions)
    ]


def spreads(comparison: Comparison) -> list[Content]:
    """Return mean and standard deviation of runs that differ by a seed or a fold alone."""
    lines = []
    for group in comparison.alike:
        lines += [Content(""), literal(group.title, 200).stylize("bold $primary")]
        width = caption_width(group.metrics, _METRIC)
        lines += [
            captioned(name, literal(spread.text), width, _METRIC)
            for name, spread in group.metrics.items()
        ]
    return lines


def live_lines(names: Sequence[str], histories: Sequence[History]) -> list[Content]:
    """Return what was changed while the runs trained; empty where nothing was."""
    lines = [
        literal(f"{name}  ", 64).stylize(_MUTED) + literal(text, 300)
        for name, history in zip(names, histories, strict=True)
        for text in live_changes(history)
    ]
    title = Content.styled("Changed while they trained", "bold $primary")
    return [Content(""), title, *lines] if lines else []


def _fitted(cells: Sequence[Content]) -> list[Content]:
    """Return all cells padded to the widest, up to a limit."""
    width = min(_WIDEST, max(cell.cell_length for cell in cells))
    return [fit(cell, width) for cell in cells]


def _cell(row: Row, place: int) -> Content:
    value = row.values[place]
    if place in row.best:
        return Content.styled(f"{text_of(value)} ◆", "bold $success")
    return literal(shown_text(value), _WIDEST).stylize(_MUTED if value in (None, "", []) else "")
