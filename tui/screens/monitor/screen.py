"""The monitor of a run: progress, metrics, speed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
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
    Request,
)
from engine.runs.diagnosis import diagnose
from engine.runs.directory import RunDirectory
from engine.runs.events import Controlled, Evaluated, Failed, Finished, Interrupted, Stopped
from engine.runs.history import History
from engine.runs.status import State
from tui.charts.canvas import Canvas
from tui.charts.explorer import ChartExplorer
from tui.format.run_states import RESUMABLE
from tui.format.text import literal
from tui.screens.dialogs.ask_value import AskValueScreen
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.dialogs.pick import PickScreen
from tui.screens.monitor.requests import Asked, Asking, epochs, learning_rate
from tui.screens.monitor.throttle import Pace
from tui.screens.monitor.watcher import Watch
from tui.screens.registry import make_screen
from tui.terminal.title import Title
from tui.widgets import run_panels as panels
from tui.widgets.lines import Lines
from tui.widgets.listing import Column, Listing
from tui.widgets.log_panel import LogPanel
from tui.widgets.notify import complain, tell
from tui.widgets.progress import ProgressLine
from tui.widgets.sample_lines import SampleLines
from tui.widgets.steady_footer import SteadyFooter

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
    """Follows a run; closing it does not affect the run."""

    CSS_PATH = "monitor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "Stop"),
        Binding("p,space", f"request('{PAUSE}')", "Pause"),
        Binding("p,space", f"request('{CONTINUE}')", "Continue"),
        Binding("c", f"request('{CHECKPOINT}')", "Checkpoint"),
        Binding("e", f"request('{EVALUATE}')", "Evaluate"),
        Binding("L", "learning_rate", "Rate", tooltip="Change the learning rate"),
        Binding("E", "epochs", "Epochs", tooltip="Change how many epochs there are"),
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
        Binding("escape,q", "leave", "Back"),
    ]

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self._run = run
        self._watch = Watch(run)
        self._asking = Asking()
        self._sending = asyncio.Lock()
        self._metric = "loss"
        self._axis = panels.AXES[0]
        self._samples_back = 0
        self._pace = Pace()
        self._painted: dict[str, object] = {}
        """The state that each part of the screen was last painted from."""
        self._seen_going = False
        self._shown: tuple[State, bool] = (State.QUEUED, False)
        try:
            config = run.config.read()
            self._run_name, self._order = config.name, config.task.metric_names
            self._rate = config.train.learning_rate
        except UserError:
            self._run_name, self._order, self._rate = run.id, (), 1e-3

    def compose(self) -> ComposeResult:
        """Yield head, bars and numbers above, panels below."""
        yield Canvas(id="head")
        yield ProgressLine(id="epoch")
        yield ProgressLine(id="total")
        yield Canvas(id="numbers")
        yield Canvas(id="word")
        with TabbedContent(id="tabs"):
            with TabPane(_TABS["charts"], id="charts"):
                yield ChartExplorer(id="chart")
            with TabPane(_TABS["table"], id="table"):
                yield Listing[Evaluated](
                    _table_columns(()), panels.row_cells(()), panels.row_key, choosable=False
                )
            with TabPane(_TABS["samples"], id="samples"):
                yield SampleLines(id="sample-lines")
            with TabPane(_TABS["resources"], id="resources"):
                yield Lines(id="resource-lines")
            with TabPane(_TABS["facts"], id="facts"):
                yield Lines(id="fact-lines")
            with TabPane(_TABS["log"], id="log"):
                yield LogPanel(id="log-lines")
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Follow the run in a thread."""
        self._title = Title(self.app)
        self.run_worker(self._watch.follow, thread=True, group="follow")
        self.set_interval(0.5, self._tick)
        self.set_timer(0.1, self._paint)

    def on_unmount(self) -> None:
        """Stop the thread at once; restore the terminal's title."""
        self._watch.end()
        self._title.restore()

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action applies to the run's current state."""
        state, paused = self._shown
        if action == "request" and parameters[0] in (PAUSE, CONTINUE):
            return not state.ended and (parameters[0] == CONTINUE) == paused
        if action in ("stop", "request", "learning_rate", "epochs"):
            return not state.ended
        if action == "results":
            return state.ended and self._run.report.path.exists()
        return state in RESUMABLE if action == "resume" else True

    def on_tabbed_content_tab_activated(self) -> None:
        """Paint the newly visible panel and focus it, so that the arrow keys scroll it."""
        self.call_after_refresh(self._enter_panel)

    def _enter_panel(self) -> None:
        tab = self.query_one(TabbedContent).active
        self.set_focus(
            next((widget for widget in self.query(f"#{tab} *") if widget.can_focus), None)
        )
        self._redraw()

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
        with self._watch.lock:
            names = self._metrics(self._watch.history)
        at = names.index(self._metric) if self._metric in names else 0
        self._show_metric(names[(at + step) % len(names)])

    def action_pick_metric(self) -> None:
        """Choose a metric by a part of its name."""
        with self._watch.lock:
            names = self._metrics(self._watch.history)
        self.app.push_screen(
            PickScreen("Metric", names, self._metric),
            lambda name: self._show_metric(name) if name is not None else None,
        )

    def _show_metric(self, name: str) -> None:
        self._metric = name
        self.action_show_tab("charts")
        self._redraw()

    def action_next_axis(self) -> None:
        """Draw against epochs, updates or time."""
        at = panels.AXES.index(self._axis)
        self._axis = panels.AXES[(at + 1) % len(panels.AXES)]
        self.query_one(ChartExplorer).action_whole()
        self._redraw()

    def action_stop(self) -> None:
        """Ask the run to stop, after a confirmation."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._ask(Request(STOP), "stop")

        name = self._run_name
        question = f"Stop {name}? It stops within one update and keeps its model."
        self.app.push_screen(ConfirmScreen(question), answered)

    def action_request(self, request: str) -> None:
        """Send a request without arguments: a checkpoint, an evaluation, a pause."""
        self._ask(Request(request), request)

    def action_learning_rate(self) -> None:
        """Send a request for another learning rate."""

        def answered(text: str | None) -> None:
            if text is not None:
                value = learning_rate(text)
                self._ask(Request(LEARNING_RATE, {"value": value}), f"learning rate {value:g}")

        title = "Peak learning rate from now on"
        self.app.push_screen(AskValueScreen(title, f"{self._rate:g}", learning_rate), answered)

    def action_epochs(self) -> None:
        """Send a request for more or fewer epochs."""
        progress = self._watch.history.progress
        done, total = (progress.epoch, progress.epochs) if progress is not None else (0.0, 1)

        def check(text: str) -> int:
            return epochs(text, done)

        def answered(text: str | None) -> None:
            if text is not None:
                value = check(text)
                self._ask(Request(EPOCHS, {"value": value}), f"{value} epochs")

        self.app.push_screen(AskValueScreen("Epochs in all", str(total), check), answered)

    def action_resume(self) -> None:
        """Resume from the last checkpoint."""
        from engine.launch.start import start

        def work() -> None:
            try:
                start(self._run)
            except UserError as error:
                self.app.call_from_thread(complain, self, error)

        self.run_worker(work, thread=True, group="resume")

    def action_results(self) -> None:
        """Show the results."""
        self.app.switch_screen(make_screen("results", self._run))

    def action_leave(self) -> None:
        """Close the screen; the run continues."""
        if not self._watch.state.ended:
            tell(self, f"{self._run_name} was resumed.")
        self.dismiss()

    def _ask(self, request: Request, text: str) -> None:
        """Show the request at once; the run answers by an event."""
        self._asking.ask(request, text, time.monotonic())
        self.run_worker(self._send(request), group="requests")
        self._redraw()

    async def _send(self, request: Request) -> None:
        """Write the request to disk in a thread, one after the other."""
        async with self._sending:
            try:
                await asyncio.to_thread(self._run.requests.send, request)
            except OSError as error:
                complain(self, error)

    def _redraw(self) -> None:
        """Redraw everything at once, as a key was pressed."""
        self._painted.clear()
        self._pace.hurry()
        self._paint()

    def _tick(self) -> None:
        """Show what is new, at a rate that suits the connection."""
        now, slow = time.monotonic(), getattr(self.app, "slow_link", False)
        if self._pace.due("numbers", now, slow):
            self._paint()

    def _paint(self) -> None:
        """Paint what is new and visible."""
        watch = self._watch
        with watch.lock:
            history = watch.history
            self._read_answers(watch.answers)
            self._announce(history)
            if not self.is_current:
                return
            self._paint_numbers(history)
            self._paint_panel(history)

    def _new(self, part: str, *source: object) -> bool:
        """Return whether a part of the screen must be repainted, from ``source``."""
        new = self._painted.get(part) != source
        self._painted[part] = source
        return new

    def _paint_numbers(self, history: History) -> None:
        state = self._watch.state
        asked = tuple(map(_asked, reversed(self._asking.current(time.monotonic()))))
        if not self._new("numbers", history.version, state, asked):
            return
        if (state, panels.paused(history)) != self._shown:
            self._shown = (state, panels.paused(history))
            self.refresh_bindings()
        self.query_one("#head", Canvas).show([panels.head(self._run_name, state, history)])
        epoch, total = panels.shares(history)
        self.query_one("#epoch", ProgressLine).show_progress(*epoch)
        self.query_one("#total", ProgressLine).show_progress(*total)
        if (trained := self._watch.trained) is not None:
            self.query_one("#numbers", Canvas).show([panels.numbers(trained)])
        self._say(Content("   ").join(asked) if asked else self._word(history))

    def _read_answers(self, answers: Sequence[Controlled]) -> None:
        """Process the run's answers to requests."""
        for request, answer in self._asking.read(answers, time.monotonic()):
            if not answer.accepted:
                complain(self, UserError(answer.message))
            elif request.action == LEARNING_RATE:
                self._rate = request.arguments["value"]

    def _say(self, word: Content) -> None:
        """Show the message on as many lines as it needs."""
        canvas = self.query_one("#word", Canvas)
        lines = word.wrap(max(20, self.size.width - 2))[:_WORD_LINES]
        canvas.styles.height = max(1, len(lines))
        canvas.show(lines)

    def _word(self, history: History) -> Content:
        """Return the message about the run's state."""
        ending = history.ending
        if isinstance(ending, Failed):
            return literal(f"{ending.message}  Its log: {self._run.log}", 600).stylize("$error")
        if self._watch.state is State.LOST:
            text = f"The process exited without an error message; its log: {self._run.log}"
            return literal(text, 400).stylize("$error")
        if isinstance(ending, Finished | Stopped) and self._run.report.path.exists():
            how = "Stopped" if isinstance(ending, Stopped) else f"Finished: {ending.reason}"
            return literal(f"{how}. Enter shows the results.").stylize("bold $success")
        if isinstance(ending, Interrupted):
            return literal("Interrupted; r resumes from the last checkpoint.").stylize("$warning")
        return literal(diagnose(history.evaluations)).stylize("bold $warning")

    def _paint_panel(self, history: History) -> None:
        painters: dict[str, Callable[[History], None]] = {
            "charts": self._paint_chart,
            "table": self._paint_table,
            "samples": self._paint_samples,
            "resources": self._paint_resources,
            "facts": self._paint_facts,
            "log": self._paint_log,
        }
        painters[self.query_one(TabbedContent).active or "charts"](history)

    def _paint_samples(self, history: History) -> None:
        shown = list(history.sampled)
        self._samples_back = max(0, min(self._samples_back, len(shown) - 1))
        if self._new("samples", shown, self._samples_back):
            lines = panels.samples(shown, self._samples_back)
            self.query_one(SampleLines).show_lines(lines)

    def on_sample_lines_other(self, event: SampleLines.Other) -> None:
        """Show earlier or later samples."""
        self._samples_back += event.back
        self._paint()

    def _paint_resources(self, history: History) -> None:
        lines = self.query_one("#resource-lines", Lines)
        width, disk = lines.scrollable_content_region.width, self._watch.disk
        now = history.resources
        if self._new("resources", now, width):
            lines.show_lines(panels.resources(list(history.measured), disk, width), wrap=False)

    def _paint_facts(self, history: History) -> None:
        known = (history.data, history.model, history.started, history.checkpoint, self._shown)
        if self._new("facts", *known):
            self.query_one("#fact-lines", Lines).show_lines(panels.facts(history, self._run))

    def _paint_log(self, history: History) -> None:
        printed = self._watch.log_lines
        newest = history.log[-1] if history.log else None
        if self._new("log", newest, len(history.log), printed):
            self.query_one(LogPanel).show_log(panels.log(history, printed))

    def _paint_chart(self, history: History) -> None:
        now, slow = time.monotonic(), getattr(self.app, "slow_link", False)
        chart = self.query_one(ChartExplorer)
        drawn = (history.version, self._metric, self._axis, self._watch.caught_up)
        if self._painted.get("chart") == drawn or not self._pace.due(
            "chart", now, slow, chart.sent
        ):
            return
        self._painted["chart"] = drawn
        curves, best = panels.curves(history, self._metric, self._axis)
        chart.plot(self._metric, curves, best, self._axis)

    def _paint_table(self, history: History) -> None:
        if not self._new("table", history.evaluations[-1:], len(history.evaluations)):
            return
        listing = self.query_one("#table Listing", Listing)
        names = [name for name in self._metrics(history) if (name, "validation") in history.curves]
        listing.set_columns(_table_columns(names), panels.row_cells(names, history.best))
        listing.set_items(list(reversed(history.evaluations)))

    def _metrics(self, history: History) -> list[str]:
        """Return all metrics that have a curve: the loss, then in the order of the task."""
        names = {name for name, _ in history.curves} - {"loss"}
        known = [name for name in self._order if name in names]
        return ["loss", *known, *sorted(names.difference(known))]

    def _announce(self, history: History) -> None:
        """Show the progress in the terminal's title; notify once when the run has ended."""
        state = self._watch.state
        slow = getattr(self.app, "slow_link", False)
        if self._watch.caught_up and self._pace.due("title", time.monotonic(), slow):
            self._title.show(panels.title(self._run_name, history, state))
        if not self._watch.caught_up or not state.ended:
            self._seen_going = self._seen_going or self._watch.caught_up
        elif self._seen_going:
            self._seen_going = False
            self.app.bell()
            word = panels.ending(self._run_name, history, state)
            if state in (State.FAILED, State.LOST):
                complain(self, UserError(word))
            else:
                tell(self, word)
            for text in self._asking.give_up():
                tell(self, f"The run ended before it did this: {text}.")


def _asked(asked: Asked) -> Content:
    """Return a request with the run's answer."""
    if asked.answer is None:
        return literal(f"… {asked.text}: asked").stylize("$foreground 60%")
    sign, style = ("✓", "$success") if asked.answer.accepted else ("✗", "$error")
    return literal(f"{sign} {asked.text}: {asked.answer.message}").stylize(style)


def _table_columns(metrics: Sequence[str]) -> list[Column]:
    return [
        Column("", 1, 1),
        Column("Epoch", 6, 8, right=True),
        Column("Step", 7, 9, right=True),
        Column("train loss", 10, 12, right=True),
        *(Column(name, 9, 12, right=True) for name in metrics),
    ]
