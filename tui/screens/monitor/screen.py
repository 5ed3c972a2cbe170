"""The monitor of a run: progress, metrics, speed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import TabbedContent
from typing_extensions import override

from engine.errors import UserError
from engine.runs.control import (
    CHECKPOINT,
    CONTINUE,
    EPOCHS,
    EVALUATE,
    LEARNING_RATE,
    PAUSE,
    STOP,
)
from engine.runs.directory import RunDirectory
from engine.runs.origin import host_of
from engine.runs.status import State
from tui.format.run_states import RESUMABLE
from tui.format.training_adds import training_adds
from tui.screens.clone import clone
from tui.screens.last_run import leave
from tui.screens.monitor.announcer import Announcer
from tui.screens.monitor.chart_grid import ChartGrid
from tui.screens.monitor.chart_keys import ChartKeys
from tui.screens.monitor.commands import Commands
from tui.screens.monitor.repaint import Repaint
from tui.screens.monitor.status_lines import StatusLines
from tui.screens.monitor.tabs import MonitorTabs
from tui.screens.monitor.watcher import READ_SECONDS, Watch
from tui.screens.placed_changes import unreachable
from tui.screens.registry import make_screen
from tui.screens.run_actions import RunActions
from tui.screens.run_keys import RUN_KEYS
from tui.widgets import run_panels
from tui.widgets.notify import tell
from tui.widgets.run_feed import RunFeed
from tui.widgets.sample_lines import SampleLines
from tui.widgets.steady_footer import SteadyFooter


class MonitorScreen(Screen[None]):
    """Follows a run; closing it does not affect the run."""

    CSS_PATH = "monitor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", f"request('{STOP}')", "Stop"),
        Binding("space", f"request('{PAUSE}')", "Pause"),
        Binding("space", f"request('{CONTINUE}')", "Continue"),
        Binding("S", f"request('{CHECKPOINT}')", "Save"),
        Binding("c", "do('clone')", "Clone", tooltip="Change its settings, and start another run"),
        Binding("V", f"request('{EVALUATE}')", "Evaluate"),
        Binding("L", f"request('{LEARNING_RATE}')", "Rate", tooltip="Change the learning rate"),
        Binding("E", f"request('{EPOCHS}')", "Epochs", tooltip="Change how many epochs there are"),
        Binding("m", "chart('next')", "Metric"),
        Binding("M", "chart('before')", "Previous metric", show=False),
        Binding("z", "chart('grid')", "One chart or several", show=False),
        Binding("slash", "chart('find')", "Find a metric", show=False, key_display="/"),
        Binding("x", "chart('axis')", "Axis: epoch, step, time", show=False),
        Binding("enter", "do('results')", "Results"),
        Binding("enter", "do('enlarge')", "Enlarge the chart", show=False),
        Binding("r", "do('resume')", "Resume"),
        *RUN_KEYS,
        Binding("escape,q", "do('leave')", "Back"),
    ]

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        try:
            config = run.config.read()
            name, order = config.name, config.task.metric_names
            rate = config.train.learning_rate or config.usual_rate
            decides = config.task.metric(config.train.metric_for_best_model).name
            adds = training_adds(config)
        except UserError:
            name, order, rate, decides, adds = run.id, (), 1e-3, "", ""
        if host := host_of(run):
            name = f"{name} on {host}"
        self._run = run
        self._run_name = name
        self._shown: tuple[State, bool] = (State.QUEUED, False)
        self._watch = Watch(run)
        self._feed = RunFeed[None](self, self._watch.read, READ_SECONDS)
        self._repaint = Repaint(self)
        self._commands = Commands(self, self._watch, name, rate, self._redraw)
        self._status = StatusLines(name, self._repaint, lambda: unreachable(self.app, run))
        self._tabs = MonitorTabs(self._repaint, order, decides, adds)
        self._chart_keys = ChartKeys(self, self._tabs.charts, self._watch, self._show_charts)
        self._actions: Mapping[str, Callable[[], object]] = {
            "results": lambda: self.app.switch_screen(make_screen("results", run)),
            "enlarge": partial(self._chart_keys.do, "grid"),
            "resume": self._commands.resume,
            "clone": partial(clone, self, run),
            "leave": self._leave,
        }

    @property
    def run_at_hand(self) -> RunDirectory:
        """The run that commands are about."""
        return self._run

    def compose(self) -> ComposeResult:
        """Yield head, bars and numbers above, panels below."""
        yield from self._status.compose()
        yield self._tabs
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Follow the run in a thread."""
        leave(self.app, self._run.id)
        self._announcer = Announcer(self, self._run_name, self._repaint)
        self._feed.poll()

        def tick() -> None:
            """Show what is new, at a rate that suits the connection."""
            if self._repaint.due("numbers"):
                self._paint()

        self.set_interval(0.5, tick)
        self.set_timer(0.1, self._paint)

    def on_unmount(self) -> None:
        """Stop the thread at once; restore the terminal's title."""
        self._feed.end()
        self._announcer.restore_title()

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action applies to the run's current state."""
        state, paused = self._shown
        if action == "request" and parameters[0] in (PAUSE, CONTINUE):
            return not state.ended and (parameters[0] == CONTINUE) == paused
        if action == "request":
            return not state.ended
        if action != "do":
            return True
        has_results = state.ended and self._run.report.path.exists()
        can = {
            "results": has_results,
            "enlarge": not has_results,
            "resume": state in RESUMABLE,
            "clone": state.ended and state is not State.IMPORTED,
        }
        return can.get(str(parameters[0]), True)

    @on(TabbedContent.TabActivated)
    @on(ChartGrid.Marked)
    @on(SampleLines.Other)
    def on_resize(self) -> None:
        """Paint at once what is visible now."""
        self.call_after_refresh(self._redraw)

    def action_chart(self, name: str) -> None:
        """Show another metric, another axis, one chart or several."""
        self._chart_keys.do(name)

    def action_request(self, request: str) -> None:
        """Send a request to the run: to stop, to pause, for another learning rate."""
        self._commands.request(request)

    def action_do(self, name: str) -> None:
        """Resume or clone the run, enlarge a chart, show the results, or close the screen."""
        self._actions[name]()

    def action_of_run(self, action: str) -> None:
        """Export the model, save predictions, and the like."""
        RunActions(self).do(action, self._run)

    def _leave(self) -> None:
        """Close the screen; the run continues, or stays paused."""
        state, paused = self._shown
        if not state.ended:
            what = "stays paused" if paused else "continues"
            tell(self, f"{self._run_name} {what} in the background.")
        self.dismiss()

    def _show_charts(self) -> None:
        """Show what the keys for charts changed."""
        self._tabs.show_charts()
        self._redraw()

    def _redraw(self) -> None:
        """Redraw everything at once, as a key was pressed."""
        self._repaint.everything()
        self._paint()

    def _paint(self) -> None:
        """Paint what is new and visible."""
        watch = self._watch
        with watch.lock:
            self._commands.read(watch.answers)
            self._announcer.show_title(watch)
            if self._announcer.ended(watch):
                self._commands.give_up()
                self._repaint.everything()  # the last values need not wait for their turn
            if not self.is_current:
                return
            shown = (watch.state, run_panels.paused(watch.history))
            if shown != self._shown:
                self._shown = shown
                self.refresh_bindings()
            self._status.paint(watch, self._commands.pending())
            self._tabs.paint(watch)
