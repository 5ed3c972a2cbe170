"""The application: themes, the first screen, and what every screen can do."""

from __future__ import annotations

import asyncio
import gc
import os
import shlex
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widgets import Input
from typing_extensions import override

from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from tui.charts.pictures import Drawing
from tui.cli.exit_codes import INTERRUPTED, TERMINATED
from tui.hosts.address import Address, parse_hosts
from tui.hosts.hosts import Hosts
from tui.screens.dialogs.actions import actions_of
from tui.screens.preferences import Preferences
from tui.screens.registry import make_screen, screen_of
from tui.screens.runs.screen import RunsScreen
from tui.screens.user_commands import read_commands
from tui.settings import Settings, read_settings
from tui.terminal import crash, output
from tui.terminal.graphics.choice import find, graphics_of
from tui.terminal.graphics.store import PictureStore
from tui.terminal.graphics.stream import painted
from tui.terminal.key_names import key_of
from tui.terminal.keyboard import KeysInOrder
from tui.terminal.keymap import read_keymap
from tui.terminal.signals import EndingSignals
from tui.terminal.textual_private import type_ahead
from tui.terminal.vocabulary import MOVES
from tui.widgets.notify import KEPT, Messages, complain, tell

if TYPE_CHECKING:
    from tui.screens.errands import Errands

_REPLACED = ("Keys", "Screenshot", "Quit", "Maximize", "Minimize")
"""Commands of Textual's: those that keys do, and those that no screen is made for."""
_TYPING = {
    binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding) and binding.action != "submit"
}
"""Actions of the keys of a text field: moving its cursor from a list would be no help."""
_ACTIONS = "tui.screens.dialogs.palette:ActionProvider"
"""The first paint need not wait for it."""
_THREADS = 32
"""Threads at most. Parts of screens that follow runs or wait for the helper process hold one each,
and asyncio allows only four more than there are processors."""


class DltuiApp(KeysInOrder):
    """Opens on the history; returns a sentence for the terminal it leaves."""

    TITLE = "dltui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = {partial(resolve_name, _ACTIONS)}  # noqa: RUF012 — Textual's own type
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "read('keys')", "Keys", key_display="?"),
        Binding("exclamation_mark", "read('messages')", "Messages", show=False, key_display="!"),
        Binding("ctrl+p", "command_palette", "Actions by name", show=False, priority=True),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        first: str | None = None,
        settings: Settings | None = None,
        problem: str = "",
        hosts: Sequence[Address] = (),
        store: PictureStore | None = None,
        typed: bytes = b"",
    ) -> None:
        """``first`` is the id of a run to open at once, or ``new`` for a new run.

        ``problem`` is the reason why the user's settings were not loaded; ``hosts`` are the
        machines whose runs are shown too; ``store`` keeps pictures for the terminal's graphics;
        ``typed`` are keys that were read before the start.
        """
        super().__init__()
        self._first = first
        self._problem = problem
        self.messages = Messages(maxlen=KEPT)
        self.hosts = Hosts(hosts, partial(_notify_of_host, self), crash.describe)
        self.crash_report: Path | None = None
        self.errands: Errands | None = None  # created when the first task asks for them
        settings = settings or Settings()
        self.preferences = Preferences(self, settings, store)
        self._typed = typed
        self.signals = EndingSignals(self._leave)
        self.keymap, moved = read_keymap(settings.keys)
        self.commands, left_out = read_commands(settings.commands, self.keymap)
        self._left_out = [*moved, *left_out]
        for place, command in enumerate(self.commands):
            self.bind(command.key, f"command({place})", description=command.name, show=False)

    @property
    def slow_link(self) -> bool:
        """Whether as little as possible is to be sent to the terminal."""
        return self.preferences.settings.slow_link

    @property
    def notifies(self) -> bool:
        """Whether the terminal is asked to notify of runs that end."""
        return self.preferences.settings.desktop_notifications

    @property
    def draws_pictures(self) -> bool:
        """Whether pictures are drawn, and not described in words."""
        return self.preferences.draws_pictures

    @property
    def drawing(self) -> Drawing:
        """The drawing of pictures."""
        return self.preferences.drawing

    @override
    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return Textual's filters with those for terminals without colour or Unicode."""
        return [*super().get_line_filters(), *self.preferences.line_filters]

    def on_mount(self) -> None:
        """Open the first screens."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
        if not self.is_headless:
            self.signals.catch()
            self.app_resume_signal.subscribe(self, lambda _: self.sent_text.clear())
            # Loaded objects are long-lived: scanning them in garbage collections would delay keys.
            gc.freeze()
        self.preferences.follow_theme()
        self.hosts.start()
        home = RunsScreen(self.hosts)
        self.push_screen(home)
        if self._first == "new":
            home.call_later(home.action_do, "new")
        elif self._first:
            self.push_screen(screen_of(RunDirectory.open(runs_folder(), self._first)))
        if self._problem:
            error = UserError(self._problem, "The usual settings are used.")
            home.call_after_refresh(complain, home, error)
        if self._typed:
            home.call_after_refresh(type_ahead, self, self._typed.decode(errors="ignore"))
        for problem in self._left_out:
            home.call_after_refresh(complain, home, UserError(problem))

    def on_unmount(self) -> None:
        """Close the connections to the hosts, and end helper processes."""
        self.hosts.end()
        self._close_errands()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything that the keys of the screen do, besides Textual's own commands."""
        quits = False
        for description, (active, *_) in actions_of(screen).items():
            typing = isinstance(active.node, Input) and active.binding.action in _TYPING
            if typing or active.binding.key in MOVES:
                continue
            if active.node is not self or active.binding.action.startswith("command("):
                quits |= description == "Quit"
                yield SystemCommand(
                    description,
                    self.get_key_display(active.binding),
                    partial(self.call_later, self.run_action, active.binding.action, active.node),
                )
        yield SystemCommand(
            "Messages", key_of(self, "messages"), partial(self.action_read, "messages")
        )
        if not quits:
            yield SystemCommand("Quit", key_of(self, "quit"), self.action_quit)
        yield from self.preferences.commands()
        for command in super().get_system_commands(screen):
            if command.title not in _REPLACED:
                yield command

    def action_read(self, name: str) -> None:
        """Show all keys of the screen, or the messages so far."""
        if not getattr(self.screen, "only_reads", False):
            self.push_screen(make_screen(name, self if name == "keys" else self.messages))

    def action_command(self, place: int) -> None:
        """Run one of the user's commands for the run at hand, and show what it prints."""
        command = self.commands[place]
        run: RunDirectory | None = getattr(self.screen, "run_at_hand", None)
        if run is None:
            tell(self.screen, f"{command.name} needs a run. Select one, or open it.")
            return
        words = command.arguments(run)
        self.push_screen(make_screen("command output", shlex.join(words), words))

    async def action_quit(self) -> None:
        """End, after a question where a screen holds something unsaved."""
        question = ""
        if any(getattr(screen, "unsaved", False) for screen in self.screen_stack):
            question = "There are changes that are not saved. Quit and lose them?"
        elif self.errands is not None and (running := self.errands.running):
            question = f"{running[0]}: not finished. Quit and cancel it?"
        if question:
            dialog = make_screen("confirm", question, True)
            self.push_screen(dialog, lambda yes: self._leave() if yes else None)
        else:
            self._leave()

    def _leave(self) -> None:
        """Exit; runs continue, and a message on the terminal says so."""
        self._close_errands()
        running = next(
            (screen.running for screen in self.screen_stack if isinstance(screen, RunsScreen)), 0
        )
        self.exit(farewell(running))

    def _close_errands(self) -> None:
        if self.errands is not None:
            self.errands.close()

    @override
    def report(self, error: Exception) -> None:
        self.crash_report = self.crash_report or crash.write_report(error)


def _notify_of_host(app: DltuiApp, text: str, error: bool) -> None:
    """Show a sentence about a host, from its thread."""
    if error:
        app.call_later(lambda: complain(app.screen, UserError(text)))
    else:
        app.call_later(lambda: tell(app.screen, text))


def farewell(running: int) -> str:
    """Return the message on exit about runs still training; empty where there are none."""
    if not running:
        return ""
    runs = "1 run continues" if running == 1 else f"{running} runs continue"
    return f"{runs} without this window; dltui shows them again, `dltui stop RUN` ends one."


def run_app(first: str | None = None, choices: Mapping[str, Any] | None = None) -> int:
    """Open the application in this terminal; returns the exit status.

    ``choices`` are settings for this time only.

    Raises :class:`~engine.errors.UserError` without a terminal, where
    ``first`` names no run, or a host cannot be one.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(
            "The program opens only in a terminal.",
            "`dltui run PRESET` trains without one, `dltui --help` lists all commands.",
        )
    if first not in (None, "new"):
        RunDirectory.open(runs_folder(), first)
    settings, problem = Settings(), ""
    given = replace(Settings(), **(choices or {}))
    hosts = parse_hosts(given.hosts)
    try:
        settings = read_settings()
        hosts = hosts or parse_hosts(settings.hosts)
    except UserError as error:
        problem = str(error)
    settings = replace(settings, **(choices or {}))
    found = find(settings.images, os.environ)
    graphics = graphics_of(found.kind, os.environ, 0)
    store = PictureStore(sent_once=found.kind == "kitty") if graphics else None
    app = DltuiApp(first, settings, problem, hosts, store, found.typed)
    with output.owned(), painted(store, graphics):
        message = app.run()
        signal.alarm(0)
    if app.return_code:
        where = app.crash_report or "nowhere (the folder for logs cannot be written)"
        message = f"dltui crashed; the report is at {where}."
    if message:
        print(message, file=sys.stderr)  # noqa: T201 — the screens are gone
    if ended_by := app.signals.received:
        return INTERRUPTED if ended_by == signal.SIGINT else TERMINATED
    return app.return_code or 0
