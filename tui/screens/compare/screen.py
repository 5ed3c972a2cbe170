"""Comparison of several runs: their curves in one chart, differences, and best metrics."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import TabPane

from engine.files.paths import expanded
from engine.runs.comparison import Comparison, write_comparison
from engine.runs.directory import RunDirectory
from tui.charts.canvas import Canvas
from tui.charts.chart import Curve
from tui.charts.series_chart import SeriesChart
from tui.format.text import literal
from tui.screens.compare.drawing import Drawing
from tui.screens.compare.followed_runs import FollowedRun, FollowedRuns
from tui.screens.compare.legend import Entry, Legend, final_row, row_at
from tui.screens.compare.table import live_lines, names_of, spreads, table
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.lines import Lines
from tui.widgets.notify import in_thread
from tui.widgets.panel_tabs import PanelTabs
from tui.widgets.run_feed import RunFeed
from tui.widgets.run_panels import usable_axis
from tui.widgets.steady_footer import SteadyFooter

POLL_SECONDS = 1.0
_TABS = {"charts": "Charts", "metrics": "Metrics", "settings": "Differences"}


class CompareScreen(Screen[None]):
    """Follows all of the runs; charts of running ones are updated."""

    CSS_PATH = "compare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "next('metric')", "Metric"),
        Binding("M", "next('metric', -1)", "Previous metric", show=False),
        Binding("x", "next('axis')", "Axis"),
        Binding("v", "next('split')", "Split"),
        Binding("X", "export", "Export"),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    def __init__(self, runs: Sequence[RunDirectory]) -> None:
        """Compare at most :data:`~tui.charts.chart.MOST_SERIES` runs: as many as have a style."""
        super().__init__()
        self._runs = FollowedRuns(runs)
        self._feed = RunFeed[FollowedRun | Comparison](
            self, self._runs.read, POLL_SECONDS, self._take
        )
        self._comparison: Comparison | None = None
        self._drawing = Drawing()

    def compose(self) -> ComposeResult:
        """Yield a heading above the panels."""
        yield Canvas(id="heading")
        yield Canvas(id="note")
        with PanelTabs(id="tabs"):
            with TabPane(_TABS["charts"], id="charts"):
                yield Legend(id="legend")
                yield SeriesChart(id="chart")
            with TabPane(_TABS["metrics"], id="metrics"):
                yield Lines(id="metric-lines")
            with TabPane(_TABS["settings"], id="settings"):
                yield Lines(id="setting-lines")
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Follow the runs in a thread."""
        self._show_heading()
        self._feed.poll()

    def on_unmount(self) -> None:
        """Let the thread end at once."""
        self._feed.end()

    def on_resize(self) -> None:
        """Lay out legend and note for the new width."""
        self._show_heading()
        self._show_legend()

    def action_next(self, what: str, step: int = 1) -> None:
        """Draw another metric, against another axis, or of the other split."""
        if what == "metric":
            self._drawing.next_metric(step)
        elif what == "split":
            self._drawing.next_split()
        else:
            self._drawing.next_axis()
            self.query_one(SeriesChart).action_whole()
        self._draw()

    def action_export(self) -> None:
        """Write the tables to a file."""

        def write(path: str | None) -> None:
            if path is not None and self._comparison is not None:
                target = expanded(path)
                action = partial(write_comparison, self._comparison, target)
                in_thread(self, action, f"Written to {target}.")

        if self._comparison is not None:
            title = "Write as .csv or .md to"
            dialog = PathPickerScreen(title, "./comparison.csv", purpose="write")
            self.app.push_screen(dialog, write)

    def _take(self, part: FollowedRun | Comparison) -> None:
        """Draw a run with new events, or show a new comparison."""
        if isinstance(part, Comparison):
            self._show_comparison(part)
        else:
            self._draw()

    def _show_comparison(self, comparison: Comparison) -> None:
        self._comparison = comparison
        with self._runs.lock:
            self._drawing.offer(comparison, [followed.history for followed in self._runs.all])
        self._show_heading()
        self._show_tables(comparison)
        self._draw()

    def _show_heading(self) -> None:
        heading = Content.styled(f"Compare   {len(self._runs.all)} runs", "bold $primary")
        self.query_one("#heading", Canvas).show([heading])
        note = literal(self._comparison.note if self._comparison else "", 500).stylize("$warning")
        lines = note.wrap(max(20, self.size.width - 2)) if note else []
        canvas = self.query_one("#note", Canvas)
        canvas.display = bool(lines)
        canvas.styles.height = len(lines)
        canvas.show(lines)

    def _show_tables(self, comparison: Comparison) -> None:
        names, sign = names_of(comparison), self.query_one(SeriesChart).sign
        pairs = zip(self._runs.all, names, strict=True)
        heads = [sign(followed.style) + literal(f" {name}") for followed, name in pairs]
        metrics = table(heads, comparison.metrics, "No run has a final metric yet.")
        self.query_one("#metric-lines", Lines).show_lines(
            [*metrics, *spreads(comparison)], wrap=False
        )
        settings = table(heads, comparison.differences, "Nothing differs but the name.")
        with self._runs.lock:
            live = live_lines(names, [followed.history for followed in self._runs.all])
        self.query_one("#setting-lines", Lines).show_lines([*settings, *live], wrap=False)

    def _draw(self) -> None:
        drawing = self._drawing
        if drawing.metric:
            shown = [curve for curve in self._curves() if curve.points]
            with self._runs.lock:
                axis = self._axis()
            self.query_one(SeriesChart).plot(drawing.title, shown, axis=axis)

    def _axis(self) -> str:
        """Return the axis that all runs have places on; hold the lock."""
        return usable_axis([followed.history for followed in self._runs.all], self._drawing.axis)

    def _curves(self) -> list[Curve]:
        with self._runs.lock:
            axis = self._axis()
            return [self._drawing.curve(f.run.id, f.style, f.history, axis) for f in self._runs.all]

    @on(SeriesChart.Redrawn)
    def _show_legend(self) -> None:
        """Show each run with its style and its value: at the cursor, or else the final one."""
        chart = self.query_one(SeriesChart)
        if chart.cursor is None:
            row = final_row(self._comparison, self._drawing.metric, len(self._runs.all))
        else:
            row = row_at(chart.cursor, self._curves())
        ids = [followed.run.id for followed in self._runs.all]
        names = names_of(self._comparison) if self._comparison else ids
        entries = [
            Entry(chart.sign(followed.style), names[place], row.values[place], place in row.best)
            for place, followed in enumerate(self._runs.all)
        ]
        self.query_one(Legend).show_entries(entries, self.size.width - 2)
