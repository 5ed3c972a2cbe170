"""The columns of the list of runs: their cells, their sort order, and which fit a width."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from textual.content import Content

from engine.runs.listing import RunSummary
from engine.runs.status import State
from tui.format.numbers import duration, number, percent
from tui.format.run_states import last_known, shown_state
from tui.format.text import literal
from tui.widgets.columns import Column

_STATE = "State"
STARTED = "Started"
"""The column of the initial sort order."""
_MUTED = "$foreground 60%"
_STATES = {state: place for place, state in enumerate(State)}
_BAR = 5
"""Cells of the progress bar of a run that trains."""


@dataclass(frozen=True)
class RunColumn:
    """A column, the cell that it shows of a run, and the value that it is sorted by."""

    column: Column
    cell: Callable[[RunSummary], Content]
    key: Callable[[RunSummary], Any]

    @property
    def title(self) -> str:
        """The heading; the column of marks has none."""
        return self.column.title

    @property
    def falls(self) -> bool:
        """Whether the largest value comes first."""
        return self.column.right or self.title == STARTED


def ordered(rows: Sequence[RunSummary], title: str, descending: bool) -> list[RunSummary]:
    """Return the rows sorted by a column; pinned ones first, those without a value last."""
    key = BY_TITLE[title].key
    known = sorted((r for r in rows if key(r) is not None), key=key, reverse=descending)
    unknown = [row for row in rows if key(row) is None]
    return sorted(known + unknown, key=lambda row: not row.notes.pinned)


def fitting(width: int, hosts: bool = False) -> tuple[RunColumn, ...]:
    """Return the columns that ``width`` cells have room for; the least telling go first.

    ``hosts``: whether runs of other machines are among them.
    """
    shown = [*COLUMNS[:_HOST_PLACE], *[HOST] * hosts, *COLUMNS[_HOST_PLACE:]]
    for title in _DROPPED:
        if sum(column.column.least + 1 for column in shown) - 1 <= width:
            break
        shown.remove(BY_TITLE[title])
    return tuple(shown)


def cells(
    columns: Sequence[RunColumn], marked: Collection[str], gone: Collection[str] = ()
) -> Callable[[RunSummary], list[Content]]:
    """Return a function that makes the cells of a row; the runs ``marked`` are selected.

    Hosts that are ``gone`` are not reachable, so that nothing is known of their runs now.
    """

    def make(row: RunSummary) -> list[Content]:
        if row.host in gone:
            texts = [_last_known(column, row) for column in columns]
        else:
            texts = [column.cell(row) for column in columns]
        if row.key in marked:
            texts[0] = Content.styled("●", "bold $accent")
        return texts

    return make


def detail(row: RunSummary | None, gone: Collection[str] = ()) -> Content:
    """Return a line about the run at the cursor: its directory, task, tags and note.

    Hosts that are ``gone`` are not reachable.
    """
    if row is None:
        return Content("")
    where = f"on {row.host}{', not reachable' * (row.host in gone)}" if row.host else ""
    about = "  ".join(filter(None, [row.id, where, row.task.replace("_", " ")]))
    parts = [literal(about).stylize(_MUTED), *map(_tag, row.notes.tags)]
    if row.notes.note:
        parts.append(literal(row.notes.note, 500))
    if row.problem:
        parts.append(literal(row.problem, 500).stylize("$error"))
    return Content("  ").join(parts)


def when(seconds: float, now: float | None = None) -> str:
    """Return how long ago a time of today is, the day of this year, or the year and month."""
    now = time.time() if now is None else now
    moment, today = datetime.fromtimestamp(seconds), datetime.fromtimestamp(now)
    if moment.date() == today.date():
        minutes = max(0, int(now - seconds)) // 60
        if minutes < 1:
            return "just now"
        return f"{minutes // 60} h ago" if minutes >= 60 else f"{minutes} min ago"
    return f"{moment:%d %b}" if moment.year == today.year else f"{moment:%Y-%m}"


def _last_known(column: RunColumn, row: RunSummary) -> Content:
    """Return a cell of a run whose machine is not reachable."""
    text = column.cell(row)
    if column.title == _STATE and not row.state.ended:
        return last_known(text)
    return Content.styled("✗ ", "$error") + text.stylize("$error") if column is HOST else text


def _pinned(row: RunSummary) -> Content:
    return Content.styled("★", "$warning") if row.notes.pinned else Content("")


def _state(row: RunSummary) -> Content:
    word, style = shown_state(row.state, row.paused)
    if row.done is None or row.paused:
        return Content.styled(word, style)
    sign = word[:2]
    if not row.done or row.done >= 1:
        return Content.styled(f"{sign}{'finishing' if row.done else 'starting'}", style)
    filled = round(row.done * _BAR)
    bar = Content.styled("━" * filled, style) + Content.styled("━" * (_BAR - filled), "$panel")
    return Content.styled(f"{sign}{percent(row.done):>3} ", style) + bar


def _name(row: RunSummary) -> Content:
    return Content(" ").join([literal(row.name), *map(_tag, row.notes.tags)])


def _model(row: RunSummary) -> Content:
    return literal(row.problem or row.model)


def _seconds(row: RunSummary) -> float:
    return row.seconds


def _tag(tag: str) -> Content:
    return literal(f"#{tag}", 40).stylize("$secondary")


COLUMNS: tuple[RunColumn, ...] = (
    RunColumn(Column("", 1, 1), _pinned, lambda row: row.notes.pinned),
    RunColumn(Column(_STATE, 11, 13), _state, lambda row: _STATES[row.state]),
    RunColumn(Column("Name", 15, 48), _name, lambda row: row.name),
    RunColumn(Column("Model", 11, 22), _model, lambda row: row.model),
    RunColumn(Column("Data", 7, 20), lambda row: literal(row.data), lambda row: row.data),
    RunColumn(Column("Metric", 10, 11, True), lambda r: literal(r.metric), lambda row: row.metric),
    RunColumn(Column("Value", 7, 8, True), lambda r: Content(number(r.value)), lambda r: r.value),
    RunColumn(Column(STARTED, 10, 10), lambda r: Content(when(r.started)), lambda r: r.started),
    RunColumn(Column("Duration", 8, 9, True), lambda r: Content(duration(r.seconds)), _seconds),
)
HOST = RunColumn(Column("Host", 7, 16), lambda r: literal(r.host or "–"), lambda r: r.host)
"""The column for runs of several machines."""
_HOST_PLACE = 3
BY_TITLE = {column.title: column for column in (*COLUMNS, HOST)}
_DROPPED = ("Duration", "Data", "Metric", STARTED)
"""Columns that a narrow list does without, the first first."""
