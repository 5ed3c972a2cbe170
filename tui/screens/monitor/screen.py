"""The monitor of a run: progress, metrics, speed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import TabbedContent, TabPane
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
from engine.runs.status import State
from tui.format.run_states import RESUMABLE
from tui.screens.dialogs.pick import PickScreen
from tui.screens.monitor.announcer import Announcer
from tui.screens.monitor.commands import Commands
from tui.screens.monitor.panels import (
    Charts,
    Facts,
    Messages,
    Panel,
    ResourceUse,
    SampleOutputs,
    Table,
)
from tui.screens.monitor.repaint import Repaint
from tui.screens.monitor.status_lines import StatusLines
from tui.screens.monitor.watcher import READ_SECONDS, Watch
from tui.screens.registry import make_screen
from tui.screens.run_actions import RunActions
from tui.screens.run_keys import RUN_KEYS
from tui.widgets import run_panels
from tui.widgets.notify import tell
from tui.widgets.panel_tabs import PanelTabs
from tui.widgets.run_feed import RunFeed
from tui.widgets.sample_lines import SampleLines
from tui.widgets.steady_footer import SteadyFooter

_TABS = {
    "charts": "Charts",
    "table": "Table",
    "samples": "Samples",
    "resources": "Resources",
    "facts": "Facts",
    "log": "Log",
}


class MonitorScreen(Screen[None]):
    """Follows a run; closing it does not affect the run."""

    CSS_PATH = "monitor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", f"request('{STOP}')", "Stop"),
        Binding("p,space", f"request('{PAUSE}')", "Pause"),
        Binding("p,space", f"request('{CONTINUE}')", "Continue"),
        Binding("c", f"request('{CHECKPOINT}')", "Checkpoint"),
        Binding("e", f"request('{EVALUATE}')", "Evaluate"),
        Binding("L", f"request('{LEARNING_RATE}')", "Rate", tooltip="Change the learning rate"),
        Binding("E", f"request('{EPOCHS}')", "Epochs", tooltip="Change how many epochs there are"),
        Binding("m", "next_metric(1)", "Metric"),
        Binding("M", "next_metric(-1)", "Metric before", show=False),
        Binding("slash", "pick_metric", "Find a metric", show=False, key_display="/"),
        Binding("x", "next_axis", "Axis: epoch, step, time", show=False),
        Binding("enter", "results", "Results"),
        Binding("r", "resume", "Resume"),
        Binding("right_square_bracket", "tab(1)", "Next panel", show=False, key_display="]"),
        Binding("left_square_bracket", "tab(-1)", "Previous panel", show=False, key_display="["),
        *(
            Binding(str(number), f"show_tab('{id}')", f"Panel {title}", show=False)
            for number, (id, title) in enumerate(_TABS.items(), 1)
        ),
        *RUN_KEYS,
        Binding("escape,q", "leave", "Back"),
    ]

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        try:
            config = run.config.read()
            name, order = config.name, config.task.metric_names
            rate = config.train.learning_rate or config.usual_rate
        except UserError:
            name, order, rate = run.id, (), 1e-3
        self._run = run
        self._run_name = name
        self._shown: tuple[State, bool] = (State.QUEUED, False)
        self._watch = Watch(run)
        self._feed = RunFeed[None](self, self._watch.read, READ_SECONDS)
        self._repaint = Repaint(self)
        self._commands = Commands(self, self._watch, name, rate, self._redraw)
        self._status = StatusLines(name, self._repaint)
        self._charts = Charts(self._repaint, order)
        self._samples = SampleOutputs(self._repaint)
        self._panels: Mapping[str, Panel] = {
            "charts": self._charts,
            "table": Table(self._repaint, order),
            "samples": self._samples,
            "resources": ResourceUse(self._repaint),
            "facts": Facts(self._repaint),
            "log": Messages(self._repaint),
        }

    def compose(self) -> ComposeResult:
        """Yield head, bars and numbers above, panels below."""
        yield from self._status.compose()
        with PanelTabs(id="tabs"):
            for id, panel in self._panels.items():
                with TabPane(_TABS[id], id=id):
                    yield panel.widget
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Follow the run in a thread."""
        self._announcer = Announcer(self, self._run_name, self._repaint)
        self._feed.poll()
        self.set_interval(0.5, self._tick)
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
        if action == "results":
            return state.ended and self._run.report.path.exists()
        return state in RESUMABLE if action == "resume" else True

    def on_tabbed_content_tab_activated(self) -> None:
        """Paint the newly visible panel."""
        self.call_after_refresh(self._enter_panel)

    def _enter_panel(self) -> None:
        self._redraw()

    def action_show_tab(self, tab: str) -> None:
        """Show a panel."""
        self.query_one(TabbedContent).active = tab

    def action_tab(self, step: int) -> None:
        """Show the next or the previous panel."""
        self.query_one(PanelTabs).step(step)

    def action_next_metric(self, step: int) -> None:
        """Draw another metric."""
        names, metric = self._charts.metrics(self._watch), self._charts.metric
        at = names.index(metric) if metric in names else 0
        self._show_metric(names[(at + step) % len(names)])

    def action_pick_metric(self) -> None:
        """Choose a metric by a part of its name."""
        names = self._charts.metrics(self._watch)
        self.app.push_screen(
            PickScreen("Metric", names, self._charts.metric),
            lambda name: self._show_metric(name) if name is not None else None,
        )

    def _show_metric(self, name: str) -> None:
        self._charts.metric = name
        self.action_show_tab("charts")
        self._redraw()

    def action_next_axis(self) -> None:
        """Draw against epochs, updates or time."""
        self._charts.next_axis()
        self._redraw()

    def on_sample_lines_other(self, event: SampleLines.Other) -> None:
        """Show earlier or later samples."""
        self._samples.step(event.back)
        self._paint()

    def action_request(self, request: str) -> None:
        """Send a request to the run: to stop, to pause, for another learning rate."""
        self._commands.request(request)

    def action_resume(self) -> None:
        """Resume from the last checkpoint."""
        self._commands.resume()

    def action_of_run(self, action: str) -> None:
        """Export the model, save predictions, and the like."""
        RunActions(self).do(action, self._run)

    def action_results(self) -> None:
        """Show the results."""
        self.app.switch_screen(make_screen("results", self._run))

    def action_leave(self) -> None:
        """Close the screen; the run continues."""
        if not self._watch.state.ended:
            tell(self, f"{self._run_name} continues in the background.")
        self.dismiss()

    def _redraw(self) -> None:
        """Redraw everything at once, as a key was pressed."""
        self._repaint.everything()
        self._paint()

    def _tick(self) -> None:
        """Show what is new, at a rate that suits the connection."""
        if self._repaint.due("numbers"):
            self._paint()

    def _paint(self) -> None:
        """Paint what is new and visible."""
        watch = self._watch
        with watch.lock:
            self._commands.read(watch.answers)
            self._announcer.show_title(watch)
            if self._announcer.ended(watch):
                self._commands.give_up()
            if not self.is_current:
                return
            shown = (watch.state, run_panels.paused(watch.history))
            if shown != self._shown:
                self._shown = shown
                self.refresh_bindings()
            self._status.paint(watch, self._commands.pending())
            self._panels[self.query_one(TabbedContent).active or "charts"].paint(watch)
