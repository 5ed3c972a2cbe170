"""The graphics of a terminal: those that the user chose, or those that it says it has."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from tui.terminal.graphics import probe
from tui.terminal.graphics.kitty import KittyGraphics
from tui.terminal.graphics.sixel import SixelGraphics, cell_of
from tui.terminal.graphics.stream import Graphics

Kind = Literal["kitty", "sixel", ""]
_NAMED: Mapping[str, Kind] = {"kitty": "kitty", "sixel": "sixel"}
_VARIABLES = ("KITTY_WINDOW_ID", "KONSOLE_VERSION", "WT_SESSION", "XTERM_VERSION", "MLTERM")
_KINDS = ("xterm-kitty", "xterm-ghostty", "foot", "mlterm", "contour", "wezterm", "yaft")
_PROGRAMS = ("ghostty", "wezterm", "iterm.app", "iterm2", "mintty", "contour")
_KITTY_VERSION = (0, 28)
"""The version that introduced placeholders."""
_TMUX_FORMAT = "#{client_termname} #{client_termtype} #{allow-passthrough}"


@dataclass(frozen=True, slots=True)
class Found:
    """The graphics of a terminal, and the keys that were typed until it answered."""

    kind: Kind = ""
    typed: bytes = b""


def find(wanted: str, environ: Mapping[str, str]) -> Found:
    """Return the graphics that a setting names; those that the terminal has for ``auto``."""
    if wanted in _NAMED:
        return Found(_NAMED[wanted])
    if wanted != "auto" or not (os.isatty(0) and os.isatty(1)):
        return Found()
    if environ.get("TMUX"):
        return Found(kind_in_tmux())
    if not is_promising(environ):
        return Found()
    answer = probe.ask(0, 1)
    return Found(kind_by(answer), answer.typed)


def graphics_of(kind: Kind, environ: Mapping[str, str], target: int) -> Graphics | None:
    """Return what writes the graphics of a kind to a terminal; ``None`` where it has none."""
    if kind == "kitty":
        return KittyGraphics(first=os.getpid(), tmux=bool(environ.get("TMUX")))
    return SixelGraphics(partial(cell_of, target)) if kind == "sixel" else None


def is_promising(environ: Mapping[str, str]) -> bool:
    """Return whether the terminal may have graphics and answers a question.

    screen and zellij show none. tmux answers for itself, not for the terminal around it.
    """
    if any(environ.get(name) for name in ("TMUX", "STY", "ZELLIJ")):
        return False
    program = f"{environ.get('TERM_PROGRAM', '')} {environ.get('LC_TERMINAL', '')}".lower()
    return (
        any(environ.get(name) for name in _VARIABLES)
        or environ.get("TERM", "").startswith(_KINDS)
        or any(name in program for name in _PROGRAMS)
    )


def kind_by(answer: probe.Answer) -> Kind:
    """Return the graphics of a terminal by its answer."""
    if _has_placeholders(answer.name):
        return "kitty"
    return "sixel" if "4" in answer.attributes else ""


def kind_in_tmux(ask: Callable[[], str] | None = None) -> Kind:
    """Return the graphics of the terminal around tmux, as ``ask`` tells of it.

    Kitty's alone pass: they are kept by the terminal, and the rest is text. Only with the option
    ``allow-passthrough`` of tmux.
    """
    name, _, rest = (ask or _asked_of_tmux)().strip().partition(" ")
    program, _, passing = rest.rpartition(" ")
    known = _has_placeholders(program) or name == "xterm-ghostty"
    return "kitty" if known and passing in ("on", "all") else ""


def _has_placeholders(name: str) -> bool:
    """Return whether a terminal has Kitty's placeholders, by its name and version."""
    program = name.lower()
    if program.startswith("ghostty"):
        return True
    version = re.match(r"kitty\D*(\d+)\.(\d+)", program)
    return version is not None and (int(version[1]), int(version[2])) >= _KITTY_VERSION


def _asked_of_tmux() -> str:
    command = ["tmux", "display-message", "-p", _TMUX_FORMAT]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=2, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
