"""What was sent to the terminal is not sent again while it is shown."""

from __future__ import annotations

import random

from tui.terminal.sent_text import SentText


def test_a_part_is_sent_once_and_again_if_its_text_changes() -> None:
    sent = SentText()
    assert sent.is_new(3, 0, 5, "hello")
    assert not sent.is_new(3, 0, 5, "hello")
    assert sent.is_new(3, 0, 5, "world")
    assert sent.is_new(3, 0, 5, "hello")
    assert sent.is_new(4, 0, 5, "hello")


def test_the_terminal_shows_what_it_would_show_if_all_were_sent() -> None:
    draw = random.Random(0)
    sent = SentText()
    wanted, shown = ["." * 12] * 3, ["." * 12] * 3
    skipped = 0
    for _ in range(2_000):
        line, first = draw.randrange(3), draw.randrange(12)
        end = draw.randint(first + 1, 12)
        text = draw.choice("ab") * (end - first)
        wanted[line] = wanted[line][:first] + text + wanted[line][end:]
        if sent.is_new(line, first, end, text):
            shown[line] = shown[line][:first] + text + shown[line][end:]
        else:
            skipped += 1
        assert shown == wanted
    assert skipped > 50


def test_everything_is_sent_again_after_some_seconds() -> None:
    now = 100.0
    sent = SentText(clock=lambda: now)
    assert sent.is_new(0, 0, 1, "x")
    now = 104.0
    sent.begin()
    assert not sent.is_new(0, 0, 1, "x")
    now = 106.0
    sent.begin()
    assert sent.is_new(0, 0, 1, "x")
