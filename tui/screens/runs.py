"""Home: the history of runs, live."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from engine import control
from engine.control import Request
from engine.errors import UserError
from engine.locations import runs_folder
from engine.overrides import Tree
from engine.run_directory import RunDirectory, State
from engine.run_list import RunList, RunSummary
from tui.figures import duration, number
from tui.screens.confirm import ConfirmScreen
from tui.states import RESUMABLE, STATES
from tui.text import literal
from tui.toast import complain, tell
from tui.widgets.listing import Column, Listing

REFRESH_SECONDS = 1.0
_FIRST = 100
"""Rows that are shown before the rest is read."""

_COLUMNS = (
    Column("State", 10, 13),
    Column("Name", 13, 36),
    Column("Task", 10, 22),
    Column("Data", 8, 20),
    Column("Metric", 8, 11, right=True),
    Column("Value", 7, 8, right=True),
    Column("Started", 7, 7),
    Column("Took", 7, 9, right=True),
)

_EMPTY = """\
There are no runs yet.

Press  n  to choose data, a model and how to train it,
or  p  to start from a ready experiment."""


class RunsScreen(Screen[None]):
    """All runs, the newest first."""

    CSS_PATH = "runs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New"),
        Binding("enter", "open", "Open", show=False),
        Binding("p", "presets", "Presets"),
        Binding("s", "stop", "Stop"),
        Binding("r", "resume", "Resume"),
        Binding("c", "clone", "Clone"),
        Binding("t", "try_it", "Try"),
        Binding("A", "adapters", "Adapters", show=False),
        Binding("d,delete", "delete", "Delete"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "unfilter", "Clear filter", show=False),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._list = RunList(runs_folder())
        self._all: Sequence[RunSummary] = ()
        self._read = False
        self._words: list[str] = []
        self._looking = threading.Event()
        self._ended = threading.Event()

    def compose(self) -> ComposeResult:
        """A heading, the list or a word about its emptiness, and the filter."""
        yield Static("dltui", id="heading")
        yield Listing(_COLUMNS, _cells, lambda row: row.id, id="runs")
        yield Static(_EMPTY, id="empty", markup=False)
        yield Input(placeholder="words of name, task, data or state", id="filter")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to read, beside the screen."""
        self.query_one(Listing).focus()
        self._looking.set()
        self.run_worker(self._follow, thread=True, group="history")

    def on_unmount(self) -> None:
        """Let the thread end at once."""
        self._ended.set()
        self._looking.set()

    def on_screen_suspend(self) -> None:
        """Another screen is on top: nothing needs to be read."""
        self._looking.clear()

    def on_screen_resume(self) -> None:
        """The list is seen again."""
        self._looking.set()

    def going_on(self) -> int:
        """How many runs train now."""
        return sum(1 for row in self._all if row.state is State.RUNNING)

    def open_run(self, run: RunDirectory) -> None:
        """Show what there is to see of a run: its results, or how it goes."""
        if run.state().ended and run.report.exists():
            from tui.screens.results import ResultsScreen

            self.app.push_screen(ResultsScreen(run))
        else:
            from tui.screens.monitor import MonitorScreen

            self.app.push_screen(MonitorScreen(run))

    def action_new(self, values: Tree | None = None, preset: str = "") -> None:
        """Compose a new run; ``preset`` names where ``values`` come from."""
        from tui.screens.new_run import NewRunScreen

        self.app.push_screen(NewRunScreen(values, preset))

    def action_presets(self) -> None:
        """Choose a preset and go on with it as a new run."""
        from engine.presets import Preset, load_preset
        from tui.screens.presets import PresetsScreen

        def chosen(preset: Preset | None) -> None:
            if preset is None:
                return
            try:
                self.action_new(load_preset(preset).values(), preset.name)
            except UserError as error:
                complain(self, error)

        self.app.push_screen(PresetsScreen(), chosen)

    def action_open(self) -> None:
        """Open the run with the cursor."""
        if row := self._current():
            self.open_run(row.run)

    def action_clone(self) -> None:
        """Compose a new run that begins as this one did."""
        if row := self._current():
            try:
                self.action_new(row.run.config().values())
            except UserError as error:
                complain(self, error)

    def action_adapters(self) -> None:
        """All adapters that were learned on this machine."""
        from tui.screens.adapters import AdaptersScreen

        self.app.push_screen(AdaptersScreen())

    def action_try_it(self) -> None:
        """Ask the model of the run about something new."""
        row = self._current()
        if row is None:
            return
        if not row.state.ended or not row.run.model.exists():
            tell(self, f"{row.name} has no finished model.")
            return
        from tui.screens.try_it import TryItScreen

        self.app.push_screen(TryItScreen(row.run))

    def action_stop(self) -> None:
        """Ask the run to stop."""
        row = self._current()
        if row is None:
            return
        if row.state.ended:
            tell(self, f"{row.name} has ended.")
            return
        self._confirmed(
            f"Stop {row.name}? What it has learned is kept.",
            lambda: control.send(row.run.control, Request(control.STOP)),
            "Asked to stop.",
        )

    def action_resume(self) -> None:
        """Go on with a run from its last checkpoint."""
        row = self._current()
        if row is None:
            return
        if row.state not in RESUMABLE:
            tell(self, f"A run that is {row.state} cannot go on.")
            return
        from engine.launch import start

        self._do(lambda: start(row.run), f"{row.name} goes on.")

    def action_delete(self) -> None:
        """Remove a run with all its files."""
        if row := self._current():
            question = f"Delete {row.name} of {_when(row.started)} with its model and checkpoints?"
            self._confirmed(question, row.run.delete, "Deleted.")

    def action_filter(self) -> None:
        """Type words; only rows with all of them are shown."""
        box = self.query_one("#filter", Input)
        box.display = True
        box.focus()

    def action_unfilter(self) -> None:
        """Show all rows again."""
        box = self.query_one("#filter", Input)
        box.value = ""
        box.display = False
        self.query_one(Listing).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self._words = event.value.lower().split()
        self._show()

    def on_input_submitted(self) -> None:
        """Back to the rows, the filter stays."""
        self.query_one(Listing).focus()

    def on_key(self, event: events.Key) -> None:
        """From the filter down into the rows."""
        if event.key == "down" and isinstance(self.focused, Input):
            self.query_one(Listing).focus()

    def on_listing_selected(self) -> None:
        """Enter or a second click on a row."""
        self.action_open()

    def _current(self) -> RunSummary | None:
        row: RunSummary | None = self.query_one(Listing).current
        return row

    def _confirmed(self, question: str, action: Callable[[], object], done: str) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._do(action, done)

        self.app.push_screen(ConfirmScreen(question), answered)

    def _do(self, action: Callable[[], object], done: str) -> None:
        """Act in a thread, since files may be slow; say what came of it."""

        def work() -> None:
            try:
                action()
            except (UserError, OSError) as error:
                self.app.call_from_thread(complain, self, error)
            else:
                self.app.call_from_thread(tell, self, done)

        self.run_worker(work, thread=True, group="actions")

    def _follow(self) -> None:
        """Read the history again and again, in a thread."""
        while not self._ended.is_set():
            self._looking.wait()
            begin = time.monotonic()
            try:
                self._read_all()
            except UserError as error:
                self.app.call_from_thread(complain, self, error)
                return
            took = time.monotonic() - begin
            self._ended.wait(max(REFRESH_SECONDS, 5 * took))

    def _read_all(self) -> None:
        rows: list[RunSummary] = []
        for row in self._list.read():
            rows.append(row)
            if len(rows) == _FIRST and not self._read:
                self.app.call_from_thread(self._take, list(rows))
            if self._ended.is_set():
                return
        self._read = True
        self.app.call_from_thread(self._take, rows)

    def _take(self, rows: Sequence[RunSummary]) -> None:
        self._all = rows
        self._show()

    def _show(self) -> None:
        rows = [row for row in self._all if _matches(row, self._words)]
        listing = self.query_one(Listing)
        listing.set_items(rows)
        listing.display = bool(self._all) or not self._read
        self.query_one("#empty").display = self._read and not self._all
        self._show_heading(len(rows))

    def _show_heading(self, shown: int) -> None:
        total, going_on = len(self._all), self.going_on()
        parts = [
            "dltui",
            f"{total} run{'s' * (total != 1)}" if shown == total else f"{shown} of {total} runs",
        ]
        if going_on:
            parts.append(f"{going_on} running")
        text = "   ".join(parts)
        heading = self.query_one("#heading", Static)
        if heading.content != text:
            heading.update(text)


def _matches(row: RunSummary, words: Sequence[str]) -> bool:
    text = f"{row.id} {row.name} {row.task} {row.data} {row.model} {row.state}".lower()
    return all(word in text for word in words)


def _cells(row: RunSummary) -> list[Content]:
    word, style = STATES[row.state]
    if row.done is not None:
        word = f"{word[:2]}{row.done:.0%}"
    return [
        Content.styled(word, style),
        literal(row.name),
        literal(row.task.replace("_", " ")) if not row.problem else literal(row.problem),
        literal(row.data),
        literal(row.metric),
        Content(number(row.value)),
        Content(_when(row.started)),
        Content(duration(row.seconds)),
    ]


def _when(seconds: float) -> str:
    """The hour of today, the day of this year, or the year and month."""
    moment, now = datetime.fromtimestamp(seconds), datetime.now()
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    return f"{moment:%d %b}" if moment.year == now.year else f"{moment:%Y-%m}"
