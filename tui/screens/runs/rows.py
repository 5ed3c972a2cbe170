"""The columns of the list of runs, their cells and their sort order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from textual.content import Content

from engine.runs.listing import RunSummary
from engine.runs.status import State
from tui.format.numbers import duration, number
from tui.format.run_states import STATES
from tui.format.text import literal
from tui.widgets.columns import Column

COLUMNS = (
    Column("", 1, 1),
    Column("State", 10, 13),
    Column("Name", 10, 48),
    Column("Task", 10, 22),
    Column("Data", 7, 20),
    Column("Metric", 8, 11, right=True),
    Column("Value", 7, 8, right=True),
    Column("Started", 8, 8),
    Column("Took", 7, 9, right=True),
)
STARTED = 7
"""The column of the initial sort order."""

_MUTED = "$foreground 60%"
_STATES = {state: place for place, state in enumerate(State)}
_KEYS: Sequence[Callable[[RunSummary], Any]] = (
    lambda row: row.notes.pinned,
    lambda row: _STATES[row.state],
    lambda row: row.name,
    lambda row: row.task,
    lambda row: row.data,
    lambda row: row.metric,
    lambda row: row.value,
    lambda row: row.started,
    lambda row: row.seconds,
)


def ordered(rows: Sequence[RunSummary], column: int, descending: bool) -> list[RunSummary]:
    """Return the rows sorted by a column; pinned ones first, those without a value last."""
    key = _KEYS[column]
    known = sorted((r for r in rows if key(r) is not None), key=key, reverse=descending)
    unknown = [row for row in rows if key(row) is None]
    return sorted(known + unknown, key=lambda row: not row.notes.pinned)


def cells(marked: Collection[str]) -> Callable[[RunSummary], list[Content]]:
    """Return a function that makes the cells of a row; the runs ``marked`` are selected."""

    def make(row: RunSummary) -> list[Content]:
        word, style = STATES[row.state]
        if row.done is not None:
            word = f"{word[:2]}{row.done:.0%}" if row.done else f"{word[:2]}starting"
        return [
            _sign(row, row.id in marked),
            Content.styled(word, style),
            _name(row),
            literal(row.task.replace("_", " ")) if not row.problem else literal(row.problem),
            literal(row.data),
            literal(row.metric),
            Content(number(row.value)),
            Content(when(row.started)),
            Content(duration(row.seconds)),
        ]

    return make


def detail(row: RunSummary | None) -> Content:
    """Return a line about the run at the cursor: its directory, tags and note."""
    if row is None:
        return Content("")
    parts = [literal(row.id).stylize(_MUTED), *map(_tag, row.notes.tags)]
    if row.notes.note:
        parts.append(literal(row.notes.note, 500))
    if row.problem:
        parts.append(literal(row.problem, 500).stylize("$error"))
    return Content("  ").join(parts)


def when(seconds: float) -> str:
    """Return the hour of today, the day of this year, or the year and month."""
    moment, now = datetime.fromtimestamp(seconds), datetime.now()
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    return f"{moment:%d %b}" if moment.year == now.year else f"{moment:%Y-%m}"


def _sign(row: RunSummary, marked: bool) -> Content:
    if marked:
        return Content.styled("●", "bold $accent")
    return Content.styled("★", "$warning") if row.notes.pinned else Content("")


def _name(row: RunSummary) -> Content:
    return Content(" ").join([literal(row.name), *map(_tag, row.notes.tags)])


def _tag(tag: str) -> Content:
    return literal(f"#{tag}", 40).stylize("$secondary")
