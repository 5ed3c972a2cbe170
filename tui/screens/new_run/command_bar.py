"""The command for the run of the form, in a line that is always visible."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from textual import on, work
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from engine.config.presets import usable_presets
from engine.config.run_config import RunConfig
from tui.format.text import literal
from tui.screens.dialogs.base import ReadScreen
from tui.screens.new_run.command_line import command_line
from tui.terminal.capabilities import abilities

_LONGEST_COMMAND = 20_000


class CommandBar(Static):
    """Follows the configuration; reads the presets that a command starts from in a thread."""

    @dataclass
    class PresetsRead(Message, bubble=False):
        """The presets that a command line can use."""

        presets: Mapping[str, RunConfig]

    def __init__(self) -> None:
        super().__init__(id="command")
        self._presets: Mapping[str, RunConfig] = {}
        self._config: RunConfig | None = None
        self._preset = ""

    def on_mount(self) -> None:
        """Read the presets."""
        self.read_presets()

    @work(thread=True, group="presets", exit_on_error=False)
    def read_presets(self) -> None:
        """Read the presets anew, as after one was saved."""
        self.post_message(self.PresetsRead(usable_presets()))

    @on(PresetsRead)
    def _presets_read(self, event: PresetsRead) -> None:
        self._presets = event.presets
        self._show()

    def show(self, config: RunConfig | None, preset: str) -> None:
        """Show the command for a configuration made from ``preset``."""
        self._config, self._preset = config, preset
        self._show()

    def _show(self) -> None:
        self.update(literal(f"$ {self._line() or '…'}", 1000), layout=False)

    def _line(self) -> str:
        return command_line(self._config, self._presets, self._preset) if self._config else ""

    def copy(self) -> None:
        """Copy the command; show it as well, as not every terminal copies."""
        line = self._line()
        if line:
            self.app.copy_to_clipboard(line)
            can = abilities(os.environ)
            copied = literal(f"Copied. Reaches the clipboard: {can.clipboard}.")
            lines = [literal(line, _LONGEST_COMMAND), Content(""), copied.stylize("$text-muted")]
            self.app.push_screen(ReadScreen("The command for this run", lines))
