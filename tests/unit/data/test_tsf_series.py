"""Series of a .tsf file against its format, read independently line by line."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.readers.tsf import read_tsf
from engine.errors import DataError
from engine.reports.note import Note

NAMES = ("@attribute series_name string", "@data")


def read(*lines: str) -> tuple[dict[str, list[Any]], tuple[Note, ...]]:
    table, notes = read_tsf(Path("shops.tsf"), "\n".join(lines))
    return table.to_pydict(), notes


def values(*lines: str) -> list[Any]:
    return read(*NAMES, *lines)[0]["value"]


VALUE = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 9))
SERIES = st.lists(
    st.lists(VALUE, min_size=1, max_size=6).filter(lambda own: any(v is not None for v in own)),
    min_size=1,
    max_size=5,
)


@given(SERIES, st.sampled_from(["", " ", "\t"]))
@settings(max_examples=60, deadline=None)
def test_each_value_is_a_row_with_its_number_in_the_series(
    series: list[list[float | None]], blank: str
) -> None:
    lines = [
        f"T{i}:" + f"{blank},{blank}".join("?" if v is None else repr(v) for v in own)
        for i, own in enumerate(series)
    ]
    found, notes = read(*NAMES, *lines)
    assert found == {
        "series_name": [f"T{i}" for i, own in enumerate(series) for _ in own],
        "time": [place for own in series for place in range(1, len(own) + 1)],
        "value": [None if v is None else float(v) for own in series for v in own],
    }
    assert notes == ()


START = datetime(2023, 12, 31, 23, 59, 56)
STEPS = {
    "weekly": timedelta(weeks=1),
    "daily": timedelta(days=1),
    "hourly": timedelta(hours=1),
    "half_hourly": timedelta(minutes=30),
    "15_minutes": timedelta(minutes=15),
    "5_minutes": timedelta(minutes=5),
    "minutely": timedelta(minutes=1),
    "4_seconds": timedelta(seconds=4),
    "secondly": timedelta(seconds=1),
}


@pytest.mark.parametrize("frequency", STEPS)
def test_times_are_the_start_and_whole_steps_over_the_end_of_a_year(frequency: str) -> None:
    start = f"{START:%Y-%m-%d %H-%M-%S}"
    found, _ = read(
        "@attribute t date", f"@FREQUENCY {frequency.upper()}", "@DATA", f"{start}:1,2,3"
    )
    assert found == {
        "time": [START + i * STEPS[frequency] for i in range(3)],
        "value": [1, 2, 3],
    }


@pytest.mark.parametrize(
    ("frequency", "start", "months"),
    [
        # A month without such a day has its last one, and the next has the day again.
        ("monthly", "2024-01-31", ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        ("monthly", "2023-12-15", ["2023-12-15", "2024-01-15", "2024-02-15", "2024-03-15"]),
        ("quarterly", "2023-11-30", ["2023-11-30", "2024-02-29", "2024-05-30", "2024-08-30"]),
        ("yearly", "2020-02-29", ["2020-02-29", "2021-02-28", "2022-02-28", "2023-02-28"]),
    ],
)
def test_months_quarters_and_years_keep_the_day_of_the_start(
    frequency: str, start: str, months: list[str]
) -> None:
    found, _ = read("@attribute t date", f"@frequency {frequency}", "@data", f"{start}:1,2,3,4")
    assert [f"{time:%Y-%m-%d}" for time in found["time"]] == months


def test_a_series_may_be_long_before_the_first_nanosecond_and_after_the_last() -> None:
    lines = ("@attribute t date", "@frequency yearly", "@data", "1600-01-01:1,2", "2999-01-01:3")
    times = read(*lines)[0]["time"]
    assert times == [datetime(1600, 1, 1), datetime(1601, 1, 1), datetime(2999, 1, 1)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a:1e3,-2E-1,+5,.5", [1000.0, -0.2, 5.0, 0.5]),
        ("a:?,?,1", [None, None, 1]),
        ("a:1,?", [1, None]),
        ("a:NaN,1", [None, 1]),  # as pandas writes a missing value
        ("été 店:7", [7]),
    ],
)
def test_values_are_numbers_or_missing(line: str, expected: list[float | None]) -> None:
    assert values(line) == expected


@pytest.mark.parametrize("line", ["a:1,,2", "a:1,2,", "a:one", "a:1;2", "a:1_000", "a:٣"])
def test_values_that_are_none_are_refused_with_their_line(line: str) -> None:
    with pytest.raises(DataError, match=r"Line 3 of shops\.tsf has a value that is neither a"):
        values(line)


def test_blank_lines_and_comments_are_no_series_and_count_as_lines() -> None:
    text = ("# about", "", *NAMES, "", "a:1", "# b:2", "   ", "c:3")
    assert read(*text)[0] == {"series_name": ["a", "c"], "time": [1, 1], "value": [1, 3]}
    with pytest.raises(DataError, match=r"Line 10 of shops"):
        read(*text, "d:x")


def test_lines_may_end_as_on_windows_and_begin_with_a_mark() -> None:
    table, _ = read_tsf(Path("a.tsf"), "\r\n".join([*NAMES, "a:1,2", "b:3", ""]))
    assert table["value"].to_pylist() == [1, 2, 3]


def test_attributes_of_any_number_stand_in_each_row_of_their_series() -> None:
    header = ("@attribute shop string", "@attribute size numeric", "@attribute t date")
    found, _ = read(
        *header, "@frequency daily", "@data", "north: 12 :2024-01-01:5,6", "south:7:2024-02-01:8"
    )
    assert found["shop"] == ["north", "north", "south"]
    assert found["size"] == ["12", "12", "7"]
    assert [f"{time:%m-%d}" for time in found["time"]] == ["01-01", "01-02", "02-01"]


def test_an_archive_of_one_series_without_attributes() -> None:
    assert read("@data", "1,2,?")[0] == {"time": [1, 2, 3], "value": [1, 2, None]}


def test_series_without_values_are_counted_with_their_first_line() -> None:
    found, notes = read(*NAMES, "a:?,?", "b:1", "c:", "d:?")
    assert found == {"series_name": ["b"], "time": [1], "value": [1]}
    [note] = notes
    assert (note.rows, note.kind) == (3, "lost")
    assert note.why == "3 series without any value left out, the first in line 3 of shops.tsf"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((*NAMES, "a:b:1"), r"Line 3 of shops\.tsf has 2 attributes, where 1 are named"),
        ((*NAMES, "1,2"), "Line 3 of shops.tsf has 0 attributes, where 1 are named"),
        (("@attribute series_name", "@data"), "Line 1 of shops.tsf is not a line of a header"),
        (("time,value", "1,2"), "Line 1 of shops.tsf is not a line of a header"),
        (("@relation x",), r"shops\.tsf has no line @data"),
        ((*NAMES, "a:?"), "has no series with a value behind @data"),
        (("@attribute t date", "@data", "soon:1"), "has the start 'soon', which is not a date"),
        (
            ("@attribute t date", "@frequency daily", "@data", "9999-12-31:1,2"),
            "Line 4 of shops.tsf continues beyond the last date there is",
        ),
    ],
)  # fmt: skip
def test_a_file_that_breaks_the_format_is_refused(lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(*lines)
