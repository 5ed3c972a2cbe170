"""One row a step in each of several series: holes are filled as pandas fills them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.series.frequency import DAY, HOUR, Frequency
from engine.data.series.panel import Panel
from engine.data.series.panel_grid import common_frequency, on_grid, without_holes
from engine.data.series.roles import Roles
from engine.errors import DataError

ROLES = Roles("day", ("y",), ("x",), series=("shop",))
DAILY = Frequency("time", DAY)
NAN = float("nan")


def panel_of(*series: list[tuple[int, float]], frequency: Frequency = DAILY) -> Panel:
    """Series of days and values; the second channel is a hundred times the first."""
    lengths = list(map(len, series))
    rows = [row for some in series for row in some]
    values = np.array([[value, 100 * value] for _, value in rows])
    return Panel(
        pa.table({"shop": [chr(65 + i) for i in range(len(series))]}),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([day for day, _ in rows], np.int64) * DAY,
        values,
        frequency,
    )


def days(panel: Panel) -> list[int]:
    return [time // DAY for time in panel.times.tolist()]


def test_series_without_holes_stay_as_they_are() -> None:
    panel = panel_of([(0, 1.0), (1, 2.0)], [(5, 3.0), (6, 4.0), (7, 5.0)])
    assert on_grid(panel, ROLES, "linear") is panel
    assert without_holes(panel, ROLES, "linear") is panel


def test_steps_without_a_row_are_added_in_their_own_series_and_noted() -> None:
    panel = on_grid(
        panel_of([(0, 1.0), (1, 2.0), (4, 5.0)], [(9, 7.0), (10, 8.0), (12, 9.0)]), ROLES, "linear"
    )
    assert days(panel) == [0, 1, 2, 3, 4, 9, 10, 11, 12]
    assert panel.starts.tolist() == [0, 5, 9]
    assert panel.values[:, 0].tolist() == pytest.approx(
        [1, 2, NAN, NAN, 5, 7, 8, NAN, 9], nan_ok=True
    )
    [note] = panel.notes
    assert note.rows == 3
    assert note.why.startswith(
        "2 gaps in 2 series with 3 steps in all, filled (linear); the longest"
    )
    assert "2 steps of 1 day after 1970-01-02 in shop = A" in note.why


def test_rows_between_two_steps_are_merged_with_the_nearest_by_their_mean() -> None:
    hours = np.array([0, 24, 25, 48, 72]) * HOUR
    panel = Panel(
        pa.table({"shop": ["A"]}),
        np.array([0, 5]),
        hours,
        np.array([[1.0, NAN], [2.0, 5.0], [4.0, NAN], [8.0, 1.0], [9.0, 2.0]]),
        DAILY,
    )
    merged = on_grid(panel, ROLES, "linear")
    assert merged.values[:, 0].tolist() == [1, 3, 8, 9]
    assert merged.values[1:, 1].tolist() == [5, 1, 2]
    assert np.isnan(merged.values[0, 1])
    assert [(note.rows, note.why) for note in merged.notes] == [
        (1, "1 row between two steps: merged with the nearest")
    ]


@pytest.mark.parametrize("fill", ["linear", "previous"])
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_missing_values_are_filled_within_each_series_as_pandas_does(
    fill: Any, data: st.DataObject
) -> None:
    cell = st.one_of(st.just(NAN), st.integers(-9, 9).map(float))
    series = data.draw(st.lists(st.lists(cell, min_size=1, max_size=8), min_size=1, max_size=4))
    panel = panel_of(*[list(enumerate(values)) for values in series])
    holes = np.isnan(panel.values)
    found = without_holes(panel, ROLES, fill)
    expected = []
    for values in series:
        column = pd.Series(values, dtype=float)
        column = column.interpolate() if fill == "linear" else column.ffill()
        expected += column.bfill().ffill().fillna(0.0).tolist()
    assert found.values[:, 0].tolist() == pytest.approx(expected)
    assert found.values[:, 1].tolist() == pytest.approx([100 * value for value in expected])
    if holes.any():
        assert found.filled is not None
        assert found.filled.tolist() == holes.tolist()
        # Each value that was filled in is counted once, whatever the reason.
        for name in ("y", "x"):
            assert sum(n.rows or 0 for n in found.notes if n.column == name) == holes[:, 0].sum()


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ([[(0, 1.0), (1, 2.0), (3, 5.0)]], "'day' lacks 1 step of 1 day after 1970-01-02"),
        ([[(0, 1.0), (1, NAN), (2, 5.0)]], r"y: 1 step without a value \(the first in shop = A"),
    ],
)
def test_holes_are_refused_in_a_sentence_where_asked(series: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        without_holes(on_grid(panel_of(*series), ROLES, "refuse"), ROLES, "refuse")


def test_a_series_of_another_step_is_left_out_and_counted() -> None:
    weekly = [(7 * i, float(i)) for i in range(5)]
    daily = [(i, float(i)) for i in range(10)]
    panel = on_grid(panel_of(daily, weekly, daily), ROLES, "linear")
    assert panel.keys["shop"].to_pylist() == ["A", "C"]
    assert panel.values[:, 0].tolist() == [float(i) for i in range(10)] * 2
    [note] = panel.notes
    assert (note.rows, note.kind) == (5, "lost")
    assert "shop = B: 1 week in day, where most have 1 day" in note.why


def test_a_series_with_a_date_far_off_is_left_out() -> None:
    daily = [(i, float(i)) for i in range(10)]
    panel = on_grid(panel_of(daily, [*daily, (3650, 1.0)], daily), ROLES, "linear")
    assert panel.keys["shop"].to_pylist() == ["A", "C"]
    first = np.datetime64(panel.frequency.text(int(panel.times[0])))
    jump = f"day jumps from {first + 9} to {first + 3650}"
    [note] = panel.notes
    assert note.why.endswith(f"such as shop = B: {jump}")


def test_data_of_which_most_series_have_other_steps_is_refused() -> None:
    weekly = [(7 * i, float(i)) for i in range(5)]
    with pytest.raises(DataError, match="2 series of 3 have other steps"):
        on_grid(panel_of([(0, 0.0), (1, 1.0), (2, 1.0)], weekly, weekly), ROLES, "linear")


def test_a_row_that_was_filled_in_belongs_to_the_split_of_the_row_before() -> None:
    panel = panel_of([(0, 1.0), (1, 1.0), (3, 2.0), (5, 3.0)], [(0, 1.0), (2, 2.0), (3, 2.0)])
    parts = np.array([0, 0, 1, 2, 0, 2, 2], np.int8)
    panel = Panel(panel.keys, panel.starts, panel.times, panel.values, DAILY, part=parts)
    filled = on_grid(panel, ROLES, "linear")
    assert filled.part is not None
    assert filled.part.tolist() == [0, 0, 0, 1, 1, 2, 0, 0, 2, 2]


def test_irregular_times_stay_and_are_told() -> None:
    frequency = Frequency("time", DAY, regular=False)
    panel = panel_of([(0, 1.0), (3, 2.0), (4, 3.0)], frequency=frequency)
    found = on_grid(panel, ROLES, "refuse")
    assert days(found) == [0, 3, 4]
    assert "keeps to no regular step" in found.notes[0].why


def test_the_common_step_is_that_of_most_of_the_longest_series() -> None:
    daily = (np.arange(9) * DAY).tolist()
    weekly = (np.arange(8) * 7 * DAY).tolist()
    times = np.array(daily + weekly + daily)
    assert common_frequency(times, np.array([0, 9, 17, 26]), dated=True) == DAILY
