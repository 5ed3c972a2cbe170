"""The home screen: the history of runs, updated live."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any, ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input, Static
from typing_extensions import override

from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from tui.charts.canvas import Canvas
from tui.hosts.hosts import Hosts
from tui.screens.last_run import take
from tui.screens.run_keys import RUN_KEYS
from tui.screens.runs.cursor_target import CursorTarget
from tui.screens.runs.endings import Endings
from tui.screens.runs.host_lines import HostLines
from tui.screens.runs.list_actions import list_actions
from tui.screens.runs.list_reader import RunListReader
from tui.screens.runs.machine_strip import MachineStrip
from tui.screens.runs.rows import detail
from tui.screens.runs.run_filter import RunFilter
from tui.screens.runs.run_listing import RunListing
from tui.screens.runs.run_pane import RunPane
from tui.screens.runs.welcome import EXPERIMENTS, START, welcome
from tui.terminal.key_names import key_of
from tui.widgets.listing import Listing
from tui.widgets.run_feed import RunFeed
from tui.widgets.steady_footer import SteadyFooter

REFRESH_SECONDS = 1.0
_REST = 5.0
"""A list that takes long to read is read again after this multiple of the time."""
_CHANGES = "tui.screens.runs.change_actions"
_CHANGING = ("stop", "resume", "pin", "annotate", "delete", "undo")
_OPENINGS = "tui.screens.runs.opening_actions"
"""Loaded when a key first asks for it: the first paint need not wait for it."""
_ABOUT_RUNS = frozenset({
    "open", "filter", "sort", "reverse", "select", "select_all", "compare", "pin", "annotate",
    "stop", "resume", "clone", "fetch", "save_preset", "try_it", "delete",
    "predict", "export", "report", "push", "evaluate",
})  # fmt: skip
"""Actions that are not offered where there are no runs."""


class _Actions(Protocol):
    async def do(self, name: str) -> None: ...


class RunsScreen(Screen[None]):
    """All runs, the newest first."""

    CSS_PATH = "runs.tcss"
    AUTO_FOCUS = "#runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "do('new')", "New"),
        Binding("P", "do('presets')", "Presets"),
        Binding("enter", "do('open')", "Open", show=False),
        Binding("slash", "do('filter')", "Filter", key_display="/"),
        Binding("o", "do('sort')", "Sort", show=False),
        Binding("O", "do('reverse')", "Reverse the order", show=False),
        Binding("space", "do('select')", "Select", show=False),
        Binding("a", "do('select_all')", "Select all", show=False),
        Binding("C", "do('compare')", "Compare"),
        Binding("asterisk", "do('pin')", "Pin", key_display="*"),
        Binding("N", "do('annotate')", "Tags and note", show=False),
        Binding("s", "do('stop')", "Stop"),
        Binding("r", "do('resume')", "Resume", show=False),
        Binding("c", "do('clone')", "Clone"),
        Binding("H", "do('fetch')", "Fetch from its host", show=False),
        Binding("S", "do('save_preset')", "Save as preset", show=False),
        Binding("t", "do('try_it')", "Try", show=False),
        Binding("d,delete", "do('delete')", "Delete", show=False),
        Binding("u", "do('undo')", "Undo", show=False),
        Binding("T", "do('trash')", "Trash", show=False),
        Binding("I", "do('import')", "Import runs of TensorBoard, W&B", show=False),
        Binding("A", "do('adapters')", "Adapters", show=False),
        *RUN_KEYS,
        *(
            Binding(key, f"do('{START}{preset}')", f"Train {preset}", show=False)
            for key, (_, preset, _) in EXPERIMENTS.items()
        ),
        Binding("escape", "do('show_all')", "Show all"),
        Binding("escape", "do('clear')", "Clear selection and filter", show=False),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self, hosts: Hosts | None = None) -> None:
        """Show the runs of this machine, and those of ``hosts``."""
        super().__init__()
        self._hosts = hosts or Hosts()
        self._listing = RunListing(bool(hosts), id="runs")
        self._filter = RunFilter(self._listing, id="filter")
        self._pane = RunPane()
        self._machine = MachineStrip()
        self._host_lines = HostLines(self._hosts)
        reader = RunListReader(runs_folder(), self._hosts.rows, self._hosts.gone)
        self._feed = RunFeed(self, reader.read, REFRESH_SECONDS, self._listing.take, rest=_REST)
        self._endings = Endings(self)
        self._target = CursorTarget(self._listing)
        self._of_list = list_actions(self._listing, self._filter)
        self._actions: dict[str, _Actions] = {}

    @property
    def running(self) -> int:
        """Number of runs that are training now."""
        return self._listing.rows.running

    @property
    def run_at_hand(self) -> RunDirectory | None:
        """The run that commands are about: the one at the cursor."""
        row = self._listing.current
        return None if row is None else row.run

    def compose(self) -> ComposeResult:
        """Yield a heading, the list beside its pane, what to begin with, and the filter."""
        yield Canvas(id="heading")
        with Horizontal(id="body"):
            yield self._listing
            yield self._pane
        yield Static(welcome(key_of(self.app, "new"), key_of(self.app, "presets")), id="empty")
        yield Canvas(id="detail")
        yield self._host_lines
        yield self._machine
        yield self._filter
        yield SteadyFooter()

    def on_unmount(self) -> None:
        """Stop the threads at once."""
        self._feed.end()
        self._endings.end()

    def on_screen_suspend(self) -> None:
        """Pause reading while another screen is on top."""
        self._feed.pause()
        self._pane.pause()
        self._machine.feed.pause()
        self._host_lines.feed.pause()

    def on_screen_resume(self) -> None:
        """Read while the list is visible; put the cursor on the run that was shown last."""
        self._hosts.unfollow()  # no other screen shows a run of a host now
        if last := take(self.app):
            self._target.choose(last)
        self._feed.poll()
        self._endings.start()
        self._pane.resume()
        self._machine.feed.resume()
        self._host_lines.feed.resume()

    def on_resize(self) -> None:
        """Show the pane and the line on the machine where there is room for them."""
        self._pane.fit(*self.size, bool(self._listing.items))
        self._machine.fit(self.size.height)

    async def action_do(self, name: str) -> None:
        """Do something with runs or with the list, or open another screen.

        What is typed meanwhile waits for the screen.
        """
        if name in self._of_list:
            self._of_list[name]()
        elif name in _CHANGING:
            await (await self._loaded(_CHANGES, self._feed.wake)).do(name)
        else:
            await (await self._loaded(_OPENINGS)).do(name)

    async def action_of_run(self, action: str) -> None:
        """Export the model of the run at the cursor, save its predictions, and the like."""
        await self.action_do(action)

    async def _loaded(self, module: str, *arguments: Any) -> _Actions:
        """Return the actions of a module, which is imported in a thread when it is first needed."""
        if module not in self._actions:
            found = await asyncio.to_thread(import_module, module)
            self._actions[module] = found.Actions(self, self._listing, *arguments)
        return self._actions[module]

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action applies: some only while the filter is typed, some only else."""
        name = str(parameters[0]) if parameters else ""
        if name.startswith(START):
            return self._listing.rows.empty
        if name in _ABOUT_RUNS and self._listing.rows.empty:
            return False
        typing = isinstance(self.focused, Input)
        return {"show_all": typing, "filter": not typing}.get(name, True)

    @on(Listing.Selected)
    async def _open(self) -> None:
        """Open the run on enter or a second click."""
        await self.action_do("open")

    @on(RunListing.Changed)
    def _show_numbers(self) -> None:
        """Show how many runs there are, and the details of the one at the cursor."""
        rows = self._listing.rows
        self._endings.watch(rows.visible)
        self._target.apply()
        self.query_one("#heading", Canvas).show([rows.heading()])
        if self.query_one("#empty").display != rows.empty:
            self.query_one("#empty").display = rows.empty
            self.refresh_bindings()
        self.query_one("#body").display = not rows.empty
        self._pane.fit(*self.size, bool(self._listing.items))
        self._show_detail()

    @on(Listing.Moved)
    def _show_detail(self) -> None:
        """Show the details of the run at the cursor."""
        row = self._listing.current
        self.query_one("#detail", Canvas).show([detail(row, self._listing.rows.gone)])
        self._pane.choose(row, self._listing.rows.before)
