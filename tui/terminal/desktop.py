"""Desktop notifications by the terminal, also over SSH: the sequences OSC 9 and OSC 777.

OSC 9 is iTerm2's, OSC 777 that of rxvt; a terminal that has neither ignores both. tmux and screen
pass them on inside a sequence of their own (tmux if ``allow-passthrough`` is on).
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.files.sanitize import plain
from tui.terminal.title import has_title

_BY_777 = ("rxvt", "foot", "xterm-ghostty", "wezterm", "contour")
"""Kinds of terminal with a title and a text in a notification."""
_TITLE, _TEXT = 60, 200


def sequence(title: str, text: str, environ: Mapping[str, str]) -> str:
    """Return the sequence of a notification; empty for a terminal that would print it."""
    if not has_title(environ):
        return ""
    shown, body = plain(title, _TITLE).replace(";", ","), plain(text, _TEXT)
    if _takes_777(environ):
        whole = f"\x1b]777;notify;{shown};{body}\x07"
    else:
        # Without a number first, which some terminals take for a progress bar.
        whole = f"\x1b]9;{shown}: {body}\x07"
    return _passed_on(whole, environ)


def _takes_777(environ: Mapping[str, str]) -> bool:
    kind = environ.get("TERM", "")
    return kind.startswith(_BY_777) or "VTE_VERSION" in environ


def _passed_on(whole: str, environ: Mapping[str, str]) -> str:
    if environ.get("TMUX"):
        return "\x1bPtmux;" + whole.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return f"\x1bP{whole}\x1b\\" if environ.get("STY") else whole
