"""Capabilities of the terminal, as detected from the environment."""

from __future__ import annotations

import pytest

from tui.terminal.capabilities import abilities


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"TERM": "xterm"}, 16),
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, 1 << 24),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, 0),
        ({"TERM": "dumb"}, 0),
        ({}, 0),
    ],
)
def test_colours(environ: dict[str, str], colours: int) -> None:
    assert abilities(environ).colours == colours


@pytest.mark.parametrize(
    ("environ", "answer"),
    [
        ({"TERM": "xterm-kitty"}, "yes"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "yes"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, "only after"),
        ({"TERM": "screen", "STY": "1.pts"}, "no"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "no"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "no"),
        ({"TERM": "xterm-256color"}, "unknown"),
    ],
)
def test_whether_copied_text_reaches_the_clipboard(environ: dict[str, str], answer: str) -> None:
    assert abilities(environ).clipboard.startswith(answer)


def test_what_stands_between_is_named() -> None:
    environ = {"TERM": "xterm", "TMUX": "/tmp/tmux", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}
    assert abilities(environ).inside == ("tmux", "ssh")
