"""Desktop notifications by the terminal."""

from __future__ import annotations

import pytest

from tui.terminal.desktop import sequence

SENT = [
    ({"TERM": "xterm-256color"}, "\x1b]9;dltui: done; well\x07"),
    ({"TERM": "xterm-kitty"}, "\x1b]9;dltui: done; well\x07"),
    ({"TERM": "foot"}, "\x1b]777;notify;dltui;done; well\x07"),
    ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "\x1b]777;notify;dltui;done; well\x07"),
    ({"TERM": "tmux-256color", "TMUX": "/s,1,0"},
     "\x1bPtmux;\x1b\x1b]9;dltui: done; well\x07\x1b\\"),
    ({"TERM": "screen", "STY": "1.x"}, "\x1bP\x1b]9;dltui: done; well\x07\x1b\\"),
    ({"TERM": "linux"}, ""),
    ({}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("environ", "expected"), SENT)
def test_each_terminal_gets_a_sequence_that_it_takes(environ, expected) -> None:
    assert sequence("dltui", "done; well", environ) == expected


@pytest.mark.parametrize("kind", ["xterm", "foot"])
def test_text_from_outside_ends_no_sequence_and_begins_none(kind) -> None:
    sent = sequence("a;b\x1b]2;x\x07", "c\x07\x1b[2J\x9c" + "d" * 500, {"TERM": kind})
    assert sent.count("\x1b") == sent.count("\x07") == 1
    assert "\x9c" not in sent
    assert len(sent) < 300
    assert "a,b" in sent
