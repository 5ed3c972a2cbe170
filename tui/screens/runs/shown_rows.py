"""The rows of the list of runs: sorted, filtered, and which of them are selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content

from engine.runs.filter import RunFilter
from engine.runs.status import State
from engine.runs.summary import RunSummary
from tui.format.text import literal
from tui.screens.runs.list_reader import Rows
from tui.screens.runs.rows import BY_TITLE, STARTED, ordered

Before = Callable[[RunSummary], RunSummary | None]
"""Finds the run before another one, among all: in the thread that reads."""


class ShownRows:
    """The state of the list, changed by one method each."""

    def __init__(self) -> None:
        self._read = Rows()
        self._sorted: Sequence[RunSummary] = ()
        self._filter = RunFilter()
        self._problem = ""
        self.order = (STARTED, True)
        """The title of the column that sorts the rows, and whether in descending order."""
        self.visible: Sequence[RunSummary] = ()
        self.selected: set[str] = set()
        """The keys of the selected runs; always the same set."""
        self.gone: set[str] = set()
        """The machines that are not reachable; always the same set."""
        self.running = 0
        """Number of runs that are training now, as far as their machines are reachable."""

    @property
    def empty(self) -> bool:
        """Whether there are no runs, as far as all have been read."""
        return self._read.complete and not self._read.runs

    def take(self, rows: Rows) -> None:
        """Take the rows as read from disk; runs that are gone are not selected any more."""
        self._read = rows
        self.gone.clear()
        self.gone |= rows.gone
        running = (row for row in rows.runs if row.state is State.RUNNING)
        self.running = sum(1 for row in running if row.host not in self.gone)
        self.selected &= {row.key for row in rows.runs}
        self._sort()

    def sort_by(self, title: str) -> None:
        """Sort by a column: numbers and times from the largest, texts from the first letter.

        The current column's order is reversed.
        """
        same = title == self.order[0]
        self.order = title, not self.order[1] if same else BY_TITLE[title].falls
        self._sort()

    def filter_by(self, text: str) -> None:
        """Show the rows that pass a filter, which may be half typed."""
        self._filter, self._problem = RunFilter.typed(text)
        self.visible = self._filter.among(self._sorted)

    def before(self, row: RunSummary) -> RunSummary | None:
        """Return the run of the same task that was started last before this one."""
        if not row.task:
            return None
        earlier = (r for r in self._read.runs if r.task == row.task and r.started < row.started)
        return max(earlier, key=lambda other: other.started, default=None)

    def toggle(self, row: RunSummary) -> None:
        """Select or deselect a row."""
        self.selected ^= {row.key}

    def toggle_all(self) -> None:
        """Select all visible rows, or none where all were selected."""
        shown = {row.key for row in self.visible}
        chosen = set() if shown <= self.selected else shown
        self.selected.clear()
        self.selected |= chosen

    def chosen(self, current: RunSummary | None) -> list[RunSummary]:
        """Return the selected rows, visible or not; the ``current`` one if there are none."""
        if self.selected:
            return [row for row in self._sorted if row.key in self.selected]
        return [current] if current is not None else []

    def heading(self) -> Content:
        """Return the numbers of runs, and the error in the filter."""
        total, shown = len(self._read.runs), len(self.visible)
        runs = f"{total:,} run{'s' * (total != 1)}"
        parts = ["dltui", runs if shown == total else f"{shown:,} of {runs}"]
        paused = sum(row.paused and row.host not in self.gone for row in self._read.runs)
        parts += [f"{self.running - paused} running"] if self.running > paused else []
        parts += [f"{paused} paused"] if paused else []
        parts += [f"{len(self.selected):,} selected"] if self.selected else []
        heading = Content("   ".join(parts))
        if self._problem:
            heading += literal(f"   {self._problem}").stylize("$text-error")
        elif total and not shown:
            why = (
                self._filter.unknown(self._read.runs) or "No run passes the filter; esc shows all."
            )
            heading += literal(f"   {why}").stylize("$text-warning")
        return heading

    def _sort(self) -> None:
        self._sorted = ordered(self._read.runs, *self.order)
        self.visible = self._filter.among(self._sorted)
