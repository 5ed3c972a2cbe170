"""The title of the terminal's window, for those whose terminal has one.

The sequences are those of xterm: OSC 0 sets the title, ``CSI 22 t`` keeps the one before and
``CSI 23 t`` brings it back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from textual.app import App

from engine.files.sanitize import plain
from tui.terminal.textual_private import write_sequence

_UNTITLED = ("", "dumb", "linux", "ansi", "cons25", "vt52", "vt100", "vt102", "vt220", "vt320")
_LIMIT = 80


def has_title(environ: Mapping[str, str]) -> bool:
    """Whether the terminal can be expected to have a title and not to print the sequence."""
    return environ.get("TERM", "").partition("-")[0] not in _UNTITLED


class Title:
    """Shows a text in the title until :meth:`restore`."""

    def __init__(self, app: App[object]) -> None:
        self._app = app
        self._possible = has_title(os.environ)
        self._shown: str | None = None

    def show(self, text: object) -> None:
        """Show ``text``, sanitized and on one line; the same text again costs nothing."""
        title = plain(text, _LIMIT)
        if not self._possible or title == self._shown:
            return
        before = "\x1b[22;0t" if self._shown is None else ""
        write_sequence(self._app, f"{before}\x1b]0;{title}\x07")
        self._shown = title

    def restore(self) -> None:
        """Bring back the title that was there before."""
        if self._shown is not None:
            write_sequence(self._app, "\x1b]0;\x07\x1b[23;0t")
            self._shown = None
