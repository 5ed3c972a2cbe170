"""The output of a program, live."""

from __future__ import annotations

import contextlib
import subprocess
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message

from tui.format.text import literal
from tui.widgets.dialog import Dialog
from tui.widgets.lines import Lines

_KEPT = 2000
"""Lines that are kept, the newest."""
_LONGEST = 2000
_GRACE = 2.0
"""Seconds that the program has to exit once it was asked to."""
_PAINT_SECONDS = 0.1
"""The time for which lines are collected before all that are kept are laid out anew."""


class OutputScreen(Dialog[None]):
    """Runs a program without a shell; closing the panel ends it."""

    CSS_PATH = "output.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss(None)", "Close"),
    ]

    @dataclass
    class Said(Message, bubble=False):
        """New lines of output, or the last sentence."""

        lines: Sequence[str]
        ended: str = ""

    def __init__(self, title: str, arguments: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._arguments = list(arguments)
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._ended = ""
        self._is_stale = False
        self._process: subprocess.Popen[str] | None = None
        self._is_left = False

    def compose(self) -> ComposeResult:
        """Yield the panel."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._title, 100)
            box.border_subtitle = "running, esc ends it"
            yield Lines(follow=True)

    def on_mount(self) -> None:
        """Start the program."""
        self.query_one(Lines).focus()
        self.run_worker(self._run, thread=True)

    def on_unmount(self) -> None:
        """End the program."""
        self._is_left = True
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def _run(self) -> None:
        """Start the program and read what it prints, in a thread."""
        try:
            process = self._process = subprocess.Popen(
                self._arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace",
            )  # fmt: skip
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.post_message(self.Said([], f"Cannot start {self._arguments[0]}: {reason}."))
            return
        if self._is_left:
            process.terminate()
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                self.post_message(self.Said([line.rstrip("\n")]))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        if process.poll() is None:
            process.kill()
        self.post_message(self.Said([], f"Exit status {process.wait()}."))

    def on_output_screen_said(self, event: Said) -> None:
        """Keep the lines, to be shown with those that follow at once."""
        self._lines.extend(event.lines)
        self._ended = event.ended
        if not self._is_stale:
            self._is_stale = True
            self.set_timer(_PAINT_SECONDS, self._paint)

    def _paint(self) -> None:
        """Show the lines that are kept."""
        self._is_stale = False
        shown = [literal(line, _LONGEST) for line in self._lines]
        if self._ended:
            self.query_one("#box").border_subtitle = "esc closes"
            shown.append(literal(self._ended).stylize("$foreground 60%"))
        self.query_one(Lines).show_lines(shown)
