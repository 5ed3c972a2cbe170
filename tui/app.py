"""The application: themes, the first screen, and what every screen can do."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import Screen

from engine.locations import runs_folder
from engine.run_directory import RunDirectory
from tui import crash, terminal
from tui.actions import actions_of
from tui.screens.runs import RunsScreen
from tui.themes import THEMES


class DltuiApp(App[str]):
    """Opens on the history; returns a sentence for the terminal it leaves."""

    TITLE = "dltui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "keys", "Keys", key_display="?"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, first: str | None = None) -> None:
        """``first`` is the id of a run to open at once, or ``new`` for a new run."""
        super().__init__()
        self._first = first
        self.crash_report: Path | None = None
        for theme in THEMES:
            self.register_theme(theme)

    def on_mount(self) -> None:
        """Open the first screens."""
        home = RunsScreen()
        self.push_screen(home)
        if self._first == "new":
            home.action_new()
        elif self._first:
            home.open_run(RunDirectory.open(runs_folder(), self._first))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything that the keys of the screen do, besides Textual's own commands."""
        for description, (active, *_) in actions_of(screen).items():
            if active.node is not self:
                yield SystemCommand(
                    description,
                    f"key {self.get_key_display(active.binding)}",
                    partial(self._act, active),
                )
        yield from super().get_system_commands(screen)

    def _act(self, active: ActiveBinding) -> None:
        self.call_later(self.run_action, active.binding.action, active.node)

    def action_keys(self) -> None:
        """Show all keys of the screen."""
        from tui.screens.keys import KeysScreen

        if not isinstance(self.screen, KeysScreen):
            self.push_screen(KeysScreen())

    async def action_quit(self) -> None:
        """End, after a question where a screen holds something unsaved."""
        from tui.screens.confirm import ConfirmScreen

        if any(getattr(screen, "unsaved", False) for screen in self.screen_stack):
            question = "There are changes that are not saved. Quit and lose them?"
            self.push_screen(ConfirmScreen(question), lambda yes: self._leave() if yes else None)
        else:
            self._leave()

    def _leave(self) -> None:
        """End; runs go on, and the terminal is told so."""
        going_on = next(
            (screen.going_on() for screen in self.screen_stack if isinstance(screen, RunsScreen)), 0
        )
        self.exit(farewell(going_on))

    def _handle_exception(self, error: Exception) -> None:
        """Keep a report of a defect before Textual ends the application."""
        self.crash_report = self.crash_report or crash.write_report(error)
        super()._handle_exception(error)


def farewell(going_on: int) -> str:
    """What is said at the end about runs that go on; nothing where none does."""
    if not going_on:
        return ""
    runs = "1 run goes" if going_on == 1 else f"{going_on} runs go"
    return f"{runs} on without this window; dltui shows them again, `dltui stop RUN` ends one."


def run_app(first: str | None = None) -> int:
    """Open the application in this terminal; returns the exit status.

    Raises :class:`~engine.errors.RunError` where ``first`` names no run.
    """
    if first not in (None, "new"):
        RunDirectory.open(runs_folder(), first)
    app = DltuiApp(first)
    with terminal.owned():
        message = app.run()
    if app.return_code:
        where = app.crash_report or "nowhere (the folder for logs cannot be written)"
        message = f"dltui ended by a mistake of its own; the report is at {where}."
    if message:
        print(message, file=sys.stderr)  # noqa: T201 — the screens are gone
    return app.return_code or 0
