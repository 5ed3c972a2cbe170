"""One sweep: its trials by rank, live, and the importance of parameters."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.screen import Screen

from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.sweep.compose import require_optuna
from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.space import Dimension
from engine.sweep.table import SweepTable, TrialRow
from tui.charts.canvas import Canvas
from tui.charts.chart import Chart
from tui.format.numbers import number
from tui.format.text import literal
from tui.screens.registry import make_screen
from tui.screens.sweeps.scatter import scatter
from tui.widgets.lines import Lines
from tui.widgets.listing import Column, Listing
from tui.widgets.notify import complain, tell
from tui.widgets.steady_footer import SteadyFooter

POLL_SECONDS = 1.0
_BAR_CELLS = 8
_MUTED = "$foreground 60%"
_COLORS = {"complete": "$success", "failed": "$text-error", "running": "$warning"}


class SweepScreen(Screen[None]):
    """Follows a sweep, wherever it was started."""

    CSS_PATH = "sweep.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "next_parameter(1)", "Parameter"),
        Binding("M", "next_parameter(-1)", "Parameter before", show=False),
        Binding("S", "save_best", "Make the best a preset"),
        Binding("s", "stop", "Stop"),
        Binding("r", "go_on", "Resume"),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    @dataclass
    class Read(Message):
        """The sweep's state as read from disk."""

        table: SweepTable
        running: bool

    @dataclass
    class Opened(Message):
        """The configuration of the sweep, and the dimensions of its search space."""

        config: SweepConfig
        dimensions: Sequence[Dimension]

    def __init__(self, sweep: SweepDirectory) -> None:
        super().__init__()
        self._sweep = sweep
        self._config: SweepConfig | None = None
        self._dimensions: Sequence[Dimension] = ()
        self._parameter = 0
        self._table = SweepTable()
        self._running = False
        self._ended = threading.Event()

    def compose(self) -> ComposeResult:
        """Yield the trials above the chart and the importance of parameters."""
        yield Canvas(id="heading")
        yield Listing[TrialRow]((), lambda row: (), lambda row: row.number, id="trials")
        yield Canvas(id="problem")
        with Horizontal(id="below"):
            yield Chart(id="chart")
            yield Lines(id="importance")
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the sweep in a thread."""
        self.query_one(Listing).focus()
        self._follow()

    def on_unmount(self) -> None:
        """Stop the thread at once."""
        self._ended.set()

    @work(thread=True, exit_on_error=False)
    def _follow(self) -> None:
        """Poll the sweep."""
        try:
            config = self._sweep.config()
            self.post_message(self.Opened(config, config.dimensions()))
            shown: tuple[SweepTable, bool] | None = None
            while not self._ended.is_set():
                running = self._sweep.running()  # checked before reading, to see the end
                now = (self._sweep.table(), running)
                if now != shown:
                    self.post_message(self.Read(*now))
                shown = now
                self._ended.wait(POLL_SECONDS)
        except UserError as error:
            self.app.call_from_thread(complain, self, error)

    @on(Opened)
    def _open(self, event: Opened) -> None:
        self._config, self._dimensions = event.config, event.dimensions
        self._show_columns()

    @on(Read)
    def _read(self, event: Read) -> None:
        begun = not self._table.metric
        self._table, self._running = event.table, event.running
        if begun:
            self._show_columns()
        self.query_one(Listing).set_items(self._table.ranked())
        self._show_heading()
        self._show_problem()
        self._show_importance()
        self._draw()

    def _show_columns(self) -> None:
        """Show a column for each parameter, under the last part of its name."""
        columns = [
            Column("", 2, 2),
            Column("Trial", 5, 6, right=True),
            Column("State", 8, 9),
            Column(literal(self._table.metric or "value", 20).plain, 9, 14, right=True),
            *(
                Column(literal(dimension.field.rpartition(".")[2], 24).plain, 7, 24, right=True)
                for dimension in self._dimensions
            ),
            Column("Run", 8, 40),
        ]
        self.query_one(Listing).set_columns(columns, self._cells)

    def _cells(self, row: TrialRow) -> list[Content]:
        best = row == self._table.best
        value = Content(number(row.value))
        return [
            Content("◆ " if best else "= " if row.preset else ""),
            Content(f"{row.number}"),
            literal(row.state).stylize(_COLORS.get(row.state, _MUTED)),
            value.stylize("bold $success") if best else value,
            *(literal(row.values.get(one.field, "")) for one in self._dimensions),
            literal(row.run).stylize(_MUTED),
        ]

    def _show_heading(self) -> None:
        trials = self._config.trials if self._config else 0
        done = sum(row.state != "running" for row in self._table.trials)
        state = "searching" if self._running else "ended"
        told = f"{state}, {done} of {trials} trials"
        if (preset := self._table.preset) is not None:
            told += f"   = the preset as it is: {number(preset.value)}"
        head = Content.styled(f"Sweep {literal(self._sweep.name).plain}   ", "bold $primary")
        self.query_one("#heading", Canvas).show([head + literal(told)])

    def _show_problem(self) -> None:
        canvas = self.query_one("#problem", Canvas)
        problem = "" if self._running else self._table.problem
        canvas.display = bool(problem)
        canvas.show([literal(f"! {problem}", 500).stylize("$text-error")])

    def _show_importance(self) -> None:
        lines = [Content.styled("What made the difference", "bold")]
        for name, share in self._table.importance.items():
            cells = round(share * _BAR_CELLS)
            bar = Content.styled("━" * cells, "$primary") + Content(" " * (_BAR_CELLS - cells))
            lines.append(bar + Content(f" {share:4.0%} ") + literal(name.rpartition(".")[2], 40))
        if len(lines) == 1:
            lines.append(Content.styled("It takes a few trials to tell.", _MUTED))
        self.query_one("#importance", Lines).show_lines(lines)

    def _draw(self) -> None:
        if not self._dimensions:
            return
        dimension = self._dimensions[self._parameter]
        drawn = scatter(self._table, dimension)
        title = f"{self._table.metric or 'value'} over {drawn.axis}"
        self.query_one(Chart).plot(title, drawn.curves, drawn.best, axis="")

    def action_next_parameter(self, step: int) -> None:
        """Draw the metric against another parameter."""
        if self._dimensions:
            self._parameter = (self._parameter + step) % len(self._dimensions)
            self._draw()

    @on(Listing.Selected)
    def _open_run(self) -> None:
        row: TrialRow | None = self.query_one(Listing).current
        if row is None or not row.run:
            return
        self.app.push_screen(make_screen("monitor", RunDirectory(runs_folder() / row.run)))

    def action_save_best(self) -> None:
        """Save the experiment of the best trial as a preset."""
        best = self._table.best
        if best is None:
            tell(self, "No trial went to its end so far.")
            return
        try:
            config = RunDirectory.open(runs_folder(), best.run).config.read()
        except UserError as error:
            complain(self, error)
            return
        self.app.push_screen(
            make_screen("save preset", config),
            lambda preset: tell(self, f"Saved as {preset.name}.") if preset else None,
        )

    def action_stop(self) -> None:
        """Stop the current runs and start no more."""
        if not self._running:
            tell(self, "The sweep has ended; r resumes it.")
            return
        self._sweep.ask_to_stop()
        tell(self, "Asked to stop; runs keep their models.")

    def action_go_on(self) -> None:
        """Continue the search up to the number of trials."""
        if self._running:
            tell(self, "The sweep is already running.")
        else:
            self._start()

    @work(thread=True, exit_on_error=False)
    def _start(self) -> None:
        try:
            require_optuna()
            self._sweep.start()
        except UserError as error:
            self.app.call_from_thread(complain, self, error)
        else:
            self.app.call_from_thread(tell, self, "The sweep was resumed.")
