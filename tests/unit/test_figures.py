"""Formatting of numbers."""

from __future__ import annotations

import pytest

from tui.format.numbers import amount, duration, known_count, number, percent, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0.0000"),
        (0.98611, "0.9861"),
        (12.34567, "12.3457"),
        (1e-5, "1e-05"),
        (-3.2, "-3.2000"),
        (123456.0, "123456"),
        (-1234567.8, "-1234568"),
        (1e9, "1e+09"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_metrics(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.4, "0 s"),
        (59.6, "1:00"),
        (187, "3:07"),
        (7509, "2:05:09"),
        (273600, "3 d 4 h"),
    ],
)
def test_lengths_of_time(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.7, "1.0 kB"),
        (1500, "1.5 kB"),
        (999_940, "999.9 kB"),
        (999_960, "1.0 MB"),
        (2.5e9, "2.5 GB"),
        (7e15, "7000.0 TB"),
    ],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(950, "950"), (999.6, "1.0 k"), (12_400, "12.4 k"), (-999_960, "-1.0 M"), (1.2e6, "1.2 M")],
)
def test_amounts(count: float, text: str) -> None:
    assert amount(count) == text


def test_a_count_of_zero_is_one_that_is_not_known() -> None:
    assert [known_count(count) for count in (1234, 1, 0, None)] == ["1,234", "1", "–", "–"]


@pytest.mark.parametrize(
    ("done", "shown"), [(0.0, "0%"), (0.004, "0%"), (0.5, "50%"), (538 / 540, "99%"), (1.0, "100%")]
)
def test_only_what_is_done_whole_is_at_100_percent(done: float, shown: str) -> None:
    assert percent(done) == shown
