"""Capabilities of the terminal, as far as its environment shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_TRUE_COLOUR = ("truecolor", "24bit")
_SET_CLIPBOARD = ("iterm.app", "wezterm", "ghostty", "kitty", "alacritty", "foot", "contour")
_REFUSE_CLIPBOARD = ("apple_terminal",)


@dataclass(frozen=True, slots=True)
class Abilities:
    """Capabilities of a terminal."""

    kind: str
    colours: int
    """Number of colours; 0 where none are wanted."""
    inside: tuple[str, ...]
    """Programs between the application and the terminal: tmux, screen, ssh."""
    clipboard: str
    """Whether text that is copied here reaches the clipboard (the sequence OSC 52)."""


def abilities(environ: Mapping[str, str]) -> Abilities:
    """Read the abilities off the environment's variables."""
    kind = environ.get("TERM", "")
    colours = _colours(environ, kind)
    inside = tuple(name for name, variable in _BETWEEN.items() if environ.get(variable))
    return Abilities(kind or "unknown", colours, inside, _clipboard(environ, inside))


def shows_pictures(colours: str | None) -> bool:
    """Whether half blocks in ``colours``, a colour system of Rich's, show what is in a picture.

    Sixteen colours do not.
    """
    return colours in ("256", "truecolor")


def knows_plain_only(environ: Mapping[str, str]) -> bool:
    """Whether the terminal shows ASCII only, by its kind or by the locale that was set for it.

    Where no locale is set, as in most containers, that is no information about the terminal.
    """
    if environ.get("TERM", "").partition("-")[0] in _PLAIN_TERMINALS:
        return True
    everything, letters, rest = (environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    if not everything and letters == "C.UTF-8" and rest in _PLAIN_LOCALES:
        letters = ""  # set by Python itself, which takes C to be a mistake (PEP 538)
    locale = everything or letters or rest
    return locale in _PLAIN_LOCALES or ("." in locale and "utf" not in locale.lower())


_PLAIN_LOCALES = ("C", "POSIX")
_PLAIN_TERMINALS = ("linux", "dumb", "ansi", "vt52", "vt100", "vt102", "vt220", "vt320")
"""Linux's console has a font of few characters."""
_BETWEEN = {"tmux": "TMUX", "screen": "STY", "zellij": "ZELLIJ", "ssh": "SSH_CONNECTION"}


def _colours(environ: Mapping[str, str], kind: str) -> int:
    if environ.get("NO_COLOR") or kind in ("", "dumb"):
        return 0
    if environ.get("COLORTERM", "").lower() in _TRUE_COLOUR:
        return 1 << 24
    return 256 if "256color" in kind else 16


def _clipboard(environ: Mapping[str, str], inside: tuple[str, ...]) -> str:
    if "screen" in inside:
        return "no, screen does not pass it on"
    if "tmux" in inside:
        return "only after `tmux set -s set-clipboard on`"
    if "VTE_VERSION" in environ:
        return "no, this terminal refuses it"
    name = f"{environ.get('TERM_PROGRAM', '')} {environ.get('TERM', '')}".lower()
    if any(known in name for known in _REFUSE_CLIPBOARD):
        return "no, this terminal refuses it"
    if any(known in name for known in _SET_CLIPBOARD):
        return "yes, unless the terminal's settings forbid it"
    return "unknown for this terminal"
