"""A run as it goes: how far, how well, how fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, TabbedContent, TabPane

from engine import control
from engine.control import CHECKPOINT, EVALUATE, STOP, Request
from engine.diagnosis import diagnose
from engine.errors import UserError
from engine.events import Evaluated, Failed, Finished, Interrupted, Stopped
from engine.history import History
from engine.run_directory import RunDirectory, State
from tui import panels
from tui.screens.confirm import ConfirmScreen
from tui.states import RESUMABLE
from tui.text import literal
from tui.toast import complain, tell
from tui.watching import Watch
from tui.widgets.canvas import Canvas
from tui.widgets.chart import Chart
from tui.widgets.lines import Lines
from tui.widgets.listing import Column, Listing
from tui.widgets.progress import ProgressLine

NUMBERS_SECONDS = 0.5
CHART_SECONDS = 1.0
_WORD_LINES = 5

_TABS = {
    "charts": "Charts",
    "table": "Table",
    "samples": "Samples",
    "resources": "Resources",
    "facts": "Facts",
    "log": "Log",
}


class MonitorScreen(Screen[None]):
    """Follows a run; leaving it leaves the run alone."""

    CSS_PATH = "monitor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "Stop"),
        Binding("c", f"request('{CHECKPOINT}')", "Checkpoint"),
        Binding("e", f"request('{EVALUATE}')", "Evaluate"),
        Binding("m", "next_metric(1)", "Metric"),
        Binding("M", "next_metric(-1)", "Metric before", show=False),
        Binding("y", "log_scale", "Log scale"),
        Binding("w", "smooth", "Smooth"),
        Binding("enter", "results", "Results"),
        Binding("r", "resume", "Resume"),
        Binding("right_square_bracket", "tab(1)", "Next panel", show=False, key_display="]"),
        Binding("left_square_bracket", "tab(-1)", "Panel before", show=False, key_display="["),
        *(
            Binding(str(number), f"show_tab('{id}')", f"Panel {title}", show=False)
            for number, (id, title) in enumerate(_TABS.items(), 1)
        ),
        Binding("escape,q", "leave", "Back"),
    ]

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self._run = run
        self._watch = Watch(run)
        self._metric = "loss"
        self._painted = (-1, "")
        self._charted: tuple[object, ...] = ()
        self._chart_time = 0.0
        self._announced = False
        self._shown_state = State.QUEUED
        try:
            config = run.config()
            self._run_name, self._order = config.name, config.task.metric_names
        except UserError:
            self._run_name, self._order = run.id, ()

    def compose(self) -> ComposeResult:
        """Head, bars and numbers above, panels below."""
        yield Canvas(id="head")
        yield ProgressLine(id="epoch")
        yield ProgressLine(id="total")
        yield Canvas(id="numbers")
        yield Canvas(id="word")
        with TabbedContent(id="tabs"):
            with TabPane(_TABS["charts"], id="charts"):
                yield Chart(id="chart")
            with TabPane(_TABS["table"], id="table"):
                yield Listing[Evaluated](
                    _table_columns(()), panels.row_cells(()), panels.row_key, choosable=False
                )
            with TabPane(_TABS["samples"], id="samples"):
                yield Lines(id="sample-lines")
            with TabPane(_TABS["resources"], id="resources"):
                yield Lines(id="resource-lines")
            with TabPane(_TABS["facts"], id="facts"):
                yield Lines(id="fact-lines")
            with TabPane(_TABS["log"], id="log"):
                yield Lines(id="log-lines", follow=True)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to follow, beside the screen."""
        self.run_worker(self._watch.follow, thread=True, group="follow")
        self.set_interval(NUMBERS_SECONDS, self._paint)
        self.set_timer(0.1, self._paint)

    def on_unmount(self) -> None:
        """Let the thread end at once."""
        self._watch.end()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Which keys mean something depends on whether the run goes on."""
        del parameters
        state = self._shown_state
        if action in ("stop", "request"):
            return not state.ended
        if action == "results":
            return state.ended and self._run.report.exists()
        return state in RESUMABLE if action == "resume" else True

    def on_tabbed_content_tab_activated(self) -> None:
        """A panel is seen that was not painted meanwhile; the arrow keys scroll it."""
        self.call_after_refresh(self._enter_panel)

    def _enter_panel(self) -> None:
        tab = self.query_one(TabbedContent).active
        self.set_focus(next(iter(self.query(f"#{tab} Listing, #{tab} Lines")), None))
        self._redraw()

    def action_show_tab(self, tab: str) -> None:
        """Show a panel."""
        self.query_one(TabbedContent).active = tab

    def action_tab(self, step: int) -> None:
        """Show the next panel, or the one before."""
        tabs = list(_TABS)
        at = tabs.index(self.query_one(TabbedContent).active)
        self.action_show_tab(tabs[(at + step) % len(tabs)])

    def action_next_metric(self, step: int) -> None:
        """Draw another metric."""
        with self._watch.lock:
            names = self._metrics(self._watch.history)
        at = names.index(self._metric) if self._metric in names else 0
        self._metric = names[(at + step) % len(names)]
        self._redraw()

    def action_log_scale(self) -> None:
        """Switch between a linear and a logarithmic scale."""
        chart = self.query_one(Chart)
        chart.log_scale = not chart.log_scale
        self._redraw()

    def action_smooth(self) -> None:
        """Switch the smoothing of curves."""
        chart = self.query_one(Chart)
        chart.smooth = not chart.smooth
        self._redraw()

    def action_stop(self) -> None:
        """Ask the run to stop, after a confirmation."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._send(STOP)

        name = self._run_name
        question = f"Stop {name}? It stops within one update and keeps what it has learned."
        self.app.push_screen(ConfirmScreen(question), answered)

    def action_request(self, request: str) -> None:
        """Ask the run for a checkpoint or an evaluation."""
        self._send(request)

    def action_resume(self) -> None:
        """Go on from the last checkpoint."""
        from engine.launch import start

        def work() -> None:
            try:
                start(self._run)
            except UserError as error:
                self.app.call_from_thread(complain, self, error)

        self.run_worker(work, thread=True, group="resume")

    def action_results(self) -> None:
        """Show what came out."""
        from tui.screens.results import ResultsScreen

        self.app.switch_screen(ResultsScreen(self._run))

    def action_leave(self) -> None:
        """Back to the list; the run is not touched."""
        if not self._watch.state.ended:
            tell(self, f"{self._run_name} goes on.")
        self.dismiss()

    def _send(self, action: str) -> None:
        try:
            control.send(self._run.control, Request(action))
        except OSError as error:
            complain(self, error)

    def _redraw(self) -> None:
        self._charted = ()
        self._chart_time = 0.0
        self._painted = (-1, "")
        self._paint()

    def _paint(self) -> None:
        """Show what is new; a panel that is not seen costs nothing."""
        watch = self._watch
        with watch.lock:
            history = watch.history
            version = (history.version, watch.state.value)
            if version != self._painted:
                self._painted = version
                self._paint_numbers(history)
            self._paint_panel(history)
            self._announce(history)

    def _paint_numbers(self, history: History) -> None:
        state = self._watch.state
        if state is not self._shown_state:
            self._shown_state = state
            self.refresh_bindings()
        self.query_one("#head", Canvas).show([panels.head(self._run_name, state, history)])
        epoch, total = panels.shares(history)
        self.query_one("#epoch", ProgressLine).show_progress(*epoch)
        self.query_one("#total", ProgressLine).show_progress(*total)
        if (trained := self._watch.trained) is not None:
            self.query_one("#numbers", Canvas).show([panels.numbers(trained)])
        self._say(self._word(history))

    def _say(self, word: Content) -> None:
        """Show the word on as many lines as it needs."""
        canvas = self.query_one("#word", Canvas)
        lines = word.wrap(max(20, self.size.width - 2))[:_WORD_LINES]
        canvas.styles.height = max(1, len(lines))
        canvas.show(lines)

    def _word(self, history: History) -> Content:
        """The line that says in words what a person should know."""
        ending = history.ending
        if isinstance(ending, Failed):
            return literal(f"{ending.message}  Its log: {self._run.log}", 600).stylize("$error")
        if self._watch.state is State.LOST:
            text = f"The process is gone without a last word; its log: {self._run.log}"
            return literal(text, 400).stylize("$error")
        if isinstance(ending, Finished | Stopped) and self._run.report.exists():
            how = "Stopped" if isinstance(ending, Stopped) else f"Finished: {ending.reason}"
            return literal(f"{how}. Enter shows the results.").stylize("bold $success")
        if isinstance(ending, Interrupted):
            return literal("Interrupted; r goes on from the last checkpoint.").stylize("$warning")
        return literal(diagnose(history.evaluations)).stylize("bold $warning")

    def _paint_panel(self, history: History) -> None:
        painters: dict[str, Callable[[History], None]] = {
            "charts": self._paint_chart,
            "table": self._paint_table,
            "samples": lambda h: self._lines("#sample-lines", panels.samples(h.samples)),
            "resources": lambda h: self._lines("#resource-lines", panels.resources(h)),
            "facts": lambda h: self._lines("#fact-lines", panels.facts(h, self._run)),
            "log": lambda h: self._lines("#log-lines", panels.log(h, self._watch.log_lines)),
        }
        painters[self.query_one(TabbedContent).active or "charts"](history)

    def _lines(self, id: str, lines: Sequence[Content]) -> None:
        self.query_one(id, Lines).show_lines(lines)

    def _paint_chart(self, history: History) -> None:
        now = time.monotonic()
        drawn = (history.version, self._metric, self._watch.caught_up)
        if drawn == self._charted or now - self._chart_time < CHART_SECONDS:
            return
        self._charted, self._chart_time = drawn, now
        curves, best = panels.curves(history, self._metric)
        self.query_one(Chart).plot(self._metric, curves, best)

    def _paint_table(self, history: History) -> None:
        listing = self.query_one("#table Listing", Listing)
        names = self._metrics(history)
        listing.set_columns(_table_columns(names), panels.row_cells(names, history.best))
        listing.set_items(list(reversed(history.evaluations)))

    def _metrics(self, history: History) -> list[str]:
        """All metrics that have a curve: the loss, then in the order of the task."""
        names = {name for name, _ in history.curves} - {"loss"}
        known = [name for name in self._order if name in names]
        return ["loss", *known, *sorted(names.difference(known))]

    def _announce(self, history: History) -> None:
        """Say once that the run ended while somebody was watching."""
        if not history.ended:
            self._announced = False
        elif not self._announced and self._watch.caught_up:
            self._announced = True
            if time.time() - (history.last_time or 0) < 10:
                self.app.bell()
                tell(self, f"{self._run_name} has ended.")


def _table_columns(metrics: Sequence[str]) -> list[Column]:
    return [
        Column("", 1, 1),
        Column("Epoch", 6, 8, right=True),
        Column("Step", 7, 9, right=True),
        Column("train loss", 10, 12, right=True),
        *(Column(name, 9, 12, right=True) for name in metrics),
    ]
