"""One sweep: its trials by rank, live, and the importance of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen

from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.sweep.compose import require_optuna
from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.space import Dimension
from engine.sweep.table import SweepTable, TrialRow
from tui.charts.canvas import Canvas
from tui.format.text import literal
from tui.screens.registry import make_screen
from tui.screens.save_preset import save_preset_of
from tui.screens.sweeps.parameter_chart import ParameterChart
from tui.screens.sweeps.reader import Opened, SweepReader, Trials
from tui.screens.sweeps.trials import heading, importance_lines, trial_cells, trial_columns
from tui.terminal.key_names import key_of
from tui.widgets.lines import Lines
from tui.widgets.listing import Listing
from tui.widgets.notify import in_thread, tell
from tui.widgets.run_feed import RunFeed
from tui.widgets.steady_footer import SteadyFooter

POLL_SECONDS = 1.0


class SweepScreen(Screen[None]):
    """Follows a sweep, wherever it was started."""

    CSS_PATH = "sweep.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "next_parameter(1)", "Parameter"),
        Binding("M", "next_parameter(-1)", "Previous parameter", show=False),
        Binding("S", "save_best", "Make the best a preset"),
        Binding("s", "stop", "Stop"),
        Binding("r", "resume", "Resume"),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    def __init__(self, sweep: SweepDirectory) -> None:
        super().__init__()
        self._sweep = sweep
        self._config: SweepConfig | None = None
        self._dimensions: Sequence[Dimension] = ()
        self._table = SweepTable()
        self._searching = False
        self._feed = RunFeed[Opened | Trials](
            self, SweepReader(sweep).read, POLL_SECONDS, self._take
        )

    def compose(self) -> ComposeResult:
        """Yield the trials above the chart and the importance of parameters."""
        yield Canvas(id="heading")
        yield Listing[TrialRow]((), lambda row: (), lambda row: row.number, id="trials")
        yield Canvas(id="problem")
        with Horizontal(id="below"):
            yield ParameterChart(id="chart")
            yield Lines(id="importance")
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the sweep in a thread."""
        self.query_one(Listing).focus()
        self._feed.poll()

    def on_unmount(self) -> None:
        """Stop the thread at once."""
        self._feed.end()

    def _take(self, part: Opened | Trials) -> None:
        if isinstance(part, Opened):
            self._config, self._dimensions = part.config, part.dimensions
            self.query_one(ParameterChart).set_dimensions(part.dimensions)
            self._show_columns()
        else:
            self._show_trials(part)

    def _show_trials(self, trials: Trials) -> None:
        begun = not self._table.metric
        self._table, self._searching = trials.table, trials.running
        if begun:
            self._show_columns()
        self.query_one(Listing).set_items(self._table.ranked())
        self._show_state()
        self.query_one("#importance", Lines).show_lines(importance_lines(self._table.importance))
        self.query_one(ParameterChart).show_trials(self._table)

    def _show_columns(self) -> None:
        columns = trial_columns(self._table.metric, self._dimensions)
        self.query_one(Listing).set_columns(
            columns, lambda row: trial_cells(row, self._table, self._dimensions)
        )

    def _show_state(self) -> None:
        """Show the progress above the trials; below them the error that ended the sweep."""
        trials = self._config.trials if self._config else 0
        line = heading(self._sweep.name, self._table, self._searching, trials)
        self.query_one("#heading", Canvas).show([line])
        canvas = self.query_one("#problem", Canvas)
        problem = "" if self._searching else self._table.problem
        canvas.display = bool(problem)
        canvas.show([literal(f"! {problem}", 500).stylize("$text-error")])

    def action_next_parameter(self, step: int) -> None:
        """Draw the metric against another parameter."""
        self.query_one(ParameterChart).next_parameter(step)

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
        else:
            save_preset_of(self, best.run)

    def action_stop(self) -> None:
        """Stop the current runs and start no more."""
        if not self._searching:
            tell(self, f"The sweep has ended; {key_of(self.app, 'resume')} resumes it.")
            return
        self._sweep.ask_to_stop()
        tell(self, "Asked to stop; runs keep their models.")

    def action_resume(self) -> None:
        """Continue the search up to the number of trials."""
        if self._searching:
            tell(self, "The sweep is already running.")
        else:
            in_thread(self, self._start, "The sweep was resumed.")

    def _start(self) -> None:
        require_optuna()
        self._sweep.start()
