"""Comparison of several runs: their curves in one chart, differences, and best metrics."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import TabbedContent, TabPane

from engine.errors import UserError
from engine.files.paths import expanded
from engine.runs.comparison import Comparison, Row, compare, write_comparison
from engine.runs.directory import RunDirectory
from engine.runs.follower import Follower
from engine.runs.history import History, Point
from tui.charts.canvas import Canvas
from tui.charts.chart import SERIES, TIME, Curve
from tui.charts.series_chart import SeriesChart
from tui.format.numbers import number
from tui.format.text import literal, shortened
from tui.screens.compare.table import padded, table
from tui.screens.dialogs.ask_path import AskPathScreen
from tui.widgets.lines import Lines
from tui.widgets.notify import complain, tell
from tui.widgets.steady_footer import SteadyFooter

POLL_SECONDS = 1.0
_AXES = ("epoch", "step", TIME)
_SPLITS = ("validation", "train")
_TABS = {"charts": "Charts", "metrics": "Metrics", "settings": "Differences"}
_ENTRY = 34
"""Cells of one run in the legend."""
_MUTED = "$foreground 60%"


class _Followed:
    """A run with its state so far; hold the screen's lock to read ``history``."""

    def __init__(self, run: RunDirectory, style: str) -> None:
        self.run = run
        self.style = style
        self.history = History()
        self._events = Follower(run.events.path)

    def read(self, lock: threading.Lock) -> bool:
        """Read new events; returns whether there were any."""
        if not self.history.version:
            history = History()
            self._events.catch_up(history)
            with lock:
                self.history = history
            return bool(history.version)
        events = list(self._events.new())
        with lock:
            self.history.apply_all(events)
        return bool(events)


class CompareScreen(Screen[None]):
    """Follows all of the runs; charts of running ones are updated."""

    CSS_PATH = "compare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "next_metric(1)", "Metric"),
        Binding("M", "next_metric(-1)", "Metric before", show=False),
        Binding("x", "next_axis", "Axis"),
        Binding("v", "next_split", "Split"),
        Binding("e", "export", "Export"),
        Binding("right_square_bracket", "tab(1)", "Next panel", show=False, key_display="]"),
        Binding("left_square_bracket", "tab(-1)", "Previous panel", show=False, key_display="["),
        *(
            Binding(str(place), f"show_tab('{id}')", f"Panel {title}", show=False)
            for place, (id, title) in enumerate(_TABS.items(), 1)
        ),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    def __init__(self, runs: Sequence[RunDirectory]) -> None:
        """Compare at most :data:`~tui.charts.chart.MOST_SERIES` runs: more cannot be told apart."""
        super().__init__()
        self._followed = [_Followed(*pair) for pair in zip(runs, SERIES, strict=False)]
        self._comparison: Comparison | None = None
        self._metric = ""
        self._axis, self._split = _AXES[0], _SPLITS[0]
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def compose(self) -> ComposeResult:
        """Yield a heading above the panels."""
        yield Canvas(id="heading")
        yield Canvas(id="note")
        with TabbedContent(id="tabs"):
            with TabPane(_TABS["charts"], id="charts"):
                yield Canvas(id="legend")
                yield SeriesChart(id="chart")
            with TabPane(_TABS["metrics"], id="metrics"):
                yield Lines(id="metric-lines")
            with TabPane(_TABS["settings"], id="settings"):
                yield Lines(id="setting-lines")
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Follow the runs in a thread."""
        self._show_heading()
        self._follow()

    def on_unmount(self) -> None:
        """Let the thread end at once."""
        self._ended.set()

    def on_resize(self) -> None:
        """Lay out legend and note for the new width."""
        self._show_heading()
        self._show_legend()

    def on_tabbed_content_tab_activated(self) -> None:
        """Focus the visible panel."""
        self.call_after_refresh(self._enter_panel)

    def _enter_panel(self) -> None:
        panel = f"#{self.query_one(TabbedContent).active}"
        self.set_focus(next(iter(self.query(f"{panel} Lines, {panel} SeriesChart")), None))

    def on_series_chart_redrawn(self) -> None:
        """Update the legend, as the cursor may have moved."""
        self._show_legend()

    def action_show_tab(self, tab: str) -> None:
        """Show a panel."""
        self.query_one(TabbedContent).active = tab

    def action_tab(self, step: int) -> None:
        """Show the next or the previous panel."""
        tabs = list(_TABS)
        at = tabs.index(self.query_one(TabbedContent).active)
        self.action_show_tab(tabs[(at + step) % len(tabs)])

    def action_next_metric(self, step: int) -> None:
        """Draw another metric."""
        names = self._metrics()
        if names:
            at = names.index(self._metric) if self._metric in names else 0
            self._metric = names[(at + step) % len(names)]
            self._draw()

    def action_next_axis(self) -> None:
        """Draw against the epoch, the step or the time."""
        self._axis = _AXES[(_AXES.index(self._axis) + 1) % len(_AXES)]
        self.query_one(SeriesChart).action_whole()
        self._draw()

    def action_next_split(self) -> None:
        """Draw the values of the training or the validation split."""
        self._split = _SPLITS[1 - _SPLITS.index(self._split)]
        self._draw()

    def action_export(self) -> None:
        """Write the tables to a file."""
        if self._comparison is not None:
            title = "Write as .csv or .md to"
            self.app.push_screen(AskPathScreen(title, "./comparison.csv"), self._write_to)

    def _write_to(self, path: str | None) -> None:
        if path is not None and self._comparison is not None:
            self._export(self._comparison, expanded(path))

    @work(thread=True, exit_on_error=False)
    def _export(self, comparison: Comparison, path: Path) -> None:
        try:
            write_comparison(comparison, path)
        except UserError as error:
            self.app.call_from_thread(complain, self, error)
        else:
            self.app.call_from_thread(tell, self, f"Written to {path}.")

    @work(thread=True, exit_on_error=False)
    def _follow(self) -> None:
        """Read the runs repeatedly; each is shown as soon as it is read."""
        while not self._ended.is_set():
            changed = False
            for followed in self._followed:
                if followed.read(self._lock) and not self._ended.is_set():
                    changed = True
                    self.app.call_from_thread(self._draw)
            if (changed or self._comparison is None) and not self._compare():
                return
            self._ended.wait(POLL_SECONDS)

    def _compare(self) -> bool:
        try:
            comparison = compare([followed.run for followed in self._followed])
        except UserError as error:
            self.app.call_from_thread(complain, self, error)
            return False
        self.app.call_from_thread(self._take, comparison)
        return True

    def _take(self, comparison: Comparison) -> None:
        self._comparison = comparison
        if not self._metric:
            names, decides = self._metrics(), comparison.runs[0].metric
            self._metric = decides if decides in names else names[0]
        self._show_heading()
        self._show_table("#metric-lines", comparison.metrics, "No run has a final metric yet.")
        self._show_table("#setting-lines", comparison.differences, "Nothing differs but the name.")
        self._draw()

    def _metrics(self) -> list[str]:
        """Return all metrics that can be drawn: those that all tasks have."""
        return list(self._comparison.common) if self._comparison else []

    def _show_heading(self) -> None:
        heading = Content.styled(f"Compare   {len(self._followed)} runs", "bold $primary")
        self.query_one("#heading", Canvas).show([heading])
        note = literal(self._comparison.note if self._comparison else "", 500).stylize("$warning")
        lines = note.wrap(max(20, self.size.width - 2)) if note else []
        canvas = self.query_one("#note", Canvas)
        canvas.display = bool(lines)
        canvas.styles.height = len(lines)
        canvas.show(lines)

    def _draw(self) -> None:
        if not self._metric:
            return
        with self._lock:
            curves = [self._curve(followed) for followed in self._followed]
        shown = [curve for curve in curves if curve.points]
        title = f"{self._metric} ({self._split})"
        self.query_one(SeriesChart).plot(title, shown, axis=self._axis)

    def _curve(self, followed: _Followed) -> Curve:
        curve = followed.history.curves.get((self._metric, self._split))
        points = curve.points if curve is not None else []
        pairs = [(_x(point, self._axis), point.value) for point in points]
        return Curve(followed.run.id, followed.style, pairs)

    def _show_legend(self) -> None:
        canvas = self.query_one("#legend", Canvas)
        columns = max(1, (self.size.width - 2) // _ENTRY)
        entries = list(self._entries())
        starts = range(0, len(entries), columns)
        lines = [Content("").join(entries[start : start + columns]) for start in starts]
        canvas.styles.height = max(1, len(lines))
        canvas.show(lines)

    def _entries(self) -> Iterator[Content]:
        """Yield each run with its style and its value: at the cursor, or else the final one."""
        chart = self.query_one(SeriesChart)
        values, best = self._values(chart.cursor)
        for place, (followed, name) in enumerate(zip(self._followed, self._names(), strict=True)):
            value = number(values[place]) + " ◆" * (place in best)
            room = _ENTRY - 6 - len(value)
            told = Content.styled(value, "bold" if place in best else _MUTED)
            named = padded(literal(shortened(name, room)), room)
            yield Content(" ").join([chart.sign(followed.style), named, told, Content("")])

    def _values(self, cursor: float | None) -> tuple[Sequence[float | None], frozenset[int]]:
        if cursor is not None:
            with self._lock:
                points = [self._curve(followed).at(cursor) for followed in self._followed]
            return [point and point[1] for point in points], frozenset()
        rows = self._comparison.metrics if self._comparison else ()
        row = next((row for row in rows if row.name == self._metric), None)
        return (row.values, row.best) if row else ([None] * len(self._followed), frozenset())

    def _names(self) -> list[str]:
        """Return the names of the runs; the ids where names are equal."""
        if self._comparison is None:
            return [followed.run.id for followed in self._followed]
        names = [run.name for run in self._comparison.runs]
        return [run.name if names.count(run.name) == 1 else run.id for run in self._comparison.runs]

    def _show_table(self, id: str, rows: Sequence[Row], nothing: str) -> None:
        chart = self.query_one(SeriesChart)
        heads = [
            chart.sign(followed.style) + literal(f" {name}")
            for followed, name in zip(self._followed, self._names(), strict=True)
        ]
        lines = table(heads, rows) if rows else [Content.styled(nothing, _MUTED)]
        self.query_one(id, Lines).show_lines(lines, wrap=False)


def _x(point: Point, axis: str) -> float:
    if axis == TIME:
        return point.seconds
    return point.epoch if axis == "epoch" else float(point.step)
