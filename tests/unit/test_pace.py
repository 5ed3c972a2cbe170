"""Redraws of a watching screen are spread over time, more so over a slow connection."""

from __future__ import annotations

from tui.screens.monitor.throttle import Pace


def times(part: str, slow: bool) -> int:
    """The number of redraws of a part in a minute of two polls a second."""
    pace = Pace()
    return sum(pace.due(part, tick / 2, slow) for tick in range(120))


def test_numbers_come_more_often_than_charts() -> None:
    assert times("numbers", slow=False) == 120
    assert times("chart", slow=False) == 60


def test_over_a_slow_connection_numbers_come_every_two_seconds() -> None:
    assert times("numbers", slow=True) == 30
    assert times("chart", slow=True) == 6
    assert times("title", slow=True) == 12


def test_after_a_wholly_new_picture_the_next_is_waited_for_longer() -> None:
    pace = Pace()
    assert pace.due("chart", 0.0, slow=False)
    assert not pace.due("chart", 2.0, slow=False, sent=3000)
    assert pace.due("chart", 3.0, slow=False, sent=3000)


def test_what_a_key_asks_for_is_due_at_once() -> None:
    pace = Pace()
    assert pace.due("chart", 0.0, slow=True)
    pace.hurry()
    assert pace.due("chart", 0.1, slow=True)
