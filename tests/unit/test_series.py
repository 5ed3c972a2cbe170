"""Tables become regular series, and repairs are reported."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from engine.config.data.builtin import BuiltinConfig
from engine.data.builtin import seasons
from engine.data.load import load_data
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.series.frequency import DAY, HOUR, Frequency, calendar_features, find_frequency
from engine.data.series.read import Fill, Roles, Series, find_roles, read_series
from engine.data.series.seasonality import find_season
from engine.data.series.splits import cut_in_time, series_note, series_table
from engine.data.series.windows import WindowSource
from engine.errors import DataError


def microseconds(values: Any) -> np.ndarray[Any, Any]:
    return pd.DatetimeIndex(values).as_unit("us").asi8


def read(times: list[Any], values: list[Any], fill: Fill = "linear") -> Series:
    table = pa.table({"time": times, "y": values})
    return read_series(table, find_roles(table), fill)


HOURS = [f"2024-03-01 {hour:02}:00" for hour in range(12)]


@pytest.mark.parametrize(
    ("times", "name"),
    [
        (pd.date_range("2024-01-01", periods=50, freq="15min"), "15 minutes"),
        (pd.date_range("2024-01-01", periods=50, freq="h"), "1 hour"),
        (pd.date_range("2024-01-01", periods=50, freq="D"), "1 day"),
        (pd.date_range("2024-01-01", periods=50, freq="7D"), "1 week"),
        (pd.date_range("2024-01-01", periods=50, freq="B"), "1 business day"),
        (pd.date_range("2024-01-01", periods=50, freq="MS"), "1 month"),
        (pd.date_range("2024-01-01", periods=50, freq="ME"), "1 month"),
        (pd.date_range("2024-01-01", periods=50, freq="QE"), "3 months"),
        (pd.date_range("1974-01-01", periods=50, freq="YS"), "1 year"),
    ],
)
def test_frequency_is_found_and_goes_on_as_pandas_does(times: pd.DatetimeIndex, name: str) -> None:
    given = microseconds(times)
    frequency = find_frequency(given[:30], dated=True)
    assert frequency.name == name
    assert frequency.regular
    assert frequency.along(int(given[29]), np.arange(1, 21)).tolist() == given[30:].tolist()
    assert frequency.positions(given).tolist() == list(range(50))


def test_gaps_do_not_hide_the_frequency() -> None:
    times = np.delete(microseconds(pd.date_range("2024-01-01", periods=90, freq="ME")), [4, 5, 40])
    assert find_frequency(times, dated=True) == Frequency("month", 1)


def test_times_without_a_grid_count_as_one_step_each() -> None:
    generator = np.random.default_rng(0)
    times = np.cumsum(generator.integers(50, 70, 200)) * 1_000_000
    series = read(list(times.astype("M8[us]")), list(range(200)))
    assert not series.frequency.regular
    assert len(series) == 200
    assert "no regular step" in " ".join(series.notes)


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-03-01", "2024-03-02", "2024-03-03"],
        ["2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z", "2024-03-03T00:00:00Z"],
        ["01.03.2024", "02.03.2024", "03.03.2024"],
        ["1/3/2024", "2/3/2024", "3/3/2024"],
        ["Mar 1, 2024", "Mar 2, 2024", "Mar 3, 2024"],
        ["20240301", "20240302", "20240303"],
    ],
)
def test_dates_are_understood_in_many_spellings(texts: list[str]) -> None:
    # Three rows do not show whether the day or the month comes first; a month of rows does.
    more = texts
    if texts[0] in ("01.03.2024", "1/3/2024"):
        separator = texts[0].strip("0123456789")[0]
        more = [*texts, *(f"{day}{separator}3{separator}2024" for day in range(4, 29))]
    series = read(more, list(range(len(more))))
    assert series.frequency.name == "1 day"
    assert series.times[0] == microseconds(["2024-03-01"])[0]


@pytest.mark.parametrize("scale", [1, 1_000, 1_000_000])
def test_seconds_since_1970_are_dates(scale: int) -> None:
    start = 1_700_000_000
    series = read([(start + 3600 * i) * scale for i in range(10)], list(range(10)))
    assert series.frequency == Frequency("time", HOUR)
    assert series.times[0] == start * 1_000_000


def test_years_as_numbers_only_count() -> None:
    table = pa.table({"year": list(range(1950, 1990)), "y": list(range(40))})
    series = read_series(table, find_roles(table))
    assert series.frequency == Frequency("number", 1)


def test_rows_without_times_follow_each_other() -> None:
    table = pa.table({"a": [1.0, 2.0, 4.0], "b": [0.0, 1.0, 0.0]})
    roles = find_roles(table)
    assert roles == Roles("", ("b",), ("a",))
    assert read_series(table, roles).times.tolist() == [0, 1, 2]


def test_a_gap_is_counted_and_drawn_through() -> None:
    series = read([*HOURS[:4], *HOURS[7:]], [0, 1, 2, 3, 7, 8, 9, 10, 11])
    assert series.values[:, 0].tolist() == list(range(12))
    [note] = series.notes
    assert "1 gaps" in note
    assert "3 steps" in note
    assert "2024-03-01 03:00" in note


def test_a_gap_repeats_the_value_before_when_asked() -> None:
    series = read([*HOURS[:4], *HOURS[7:]], [0, 1, 2, 3, 7, 8, 9, 10, 11], "previous")
    assert series.values[:, 0].tolist() == [0, 1, 2, 3, 3, 3, 3, 7, 8, 9, 10, 11]


def test_a_gap_can_be_refused() -> None:
    with pytest.raises(DataError, match=r"'time' lacks 3 steps of 1 hour after 2024-03-01 03:00"):
        read([*HOURS[:4], *HOURS[7:]], list(range(9)), "refuse")


@pytest.mark.parametrize("fill", ["linear", "previous"])
def test_missing_and_infinite_values_are_counted_and_filled(fill: Fill) -> None:
    values = [None, 1.0, 2.0, float("nan"), 4.0, float("inf"), 6.0, 7.0, 8.0, 9.0, 10.0, None]
    series = read(HOURS, values, fill)
    expected = [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]
    if fill == "previous":
        expected[3], expected[5] = 2, 4
    assert series.values[:, 0].tolist() == expected
    assert "y: 4 values are missing or infinite (the first in row 1)" in series.notes[0]


def test_missing_values_can_be_refused_with_their_row() -> None:
    with pytest.raises(DataError, match=r"y: 1 values .* in row 3"):
        read(HOURS[:4], [1.0, 2.0, None, 4.0], "refuse")


def test_time_that_goes_back_is_sorted_and_counted() -> None:
    order = [0, 1, 5, 3, 4, 2, 6, 7]
    series = read([HOURS[i] for i in order], order)
    assert series.values[:, 0].tolist() == list(range(8))
    assert "goes back 2 times (first in row 4)" in series.notes[0]


def test_repeated_times_become_their_mean() -> None:
    series = read([HOURS[0], HOURS[1], HOURS[1], HOURS[2]], [0.0, 1.0, 3.0, 5.0])
    assert series.values[:, 0].tolist() == [0, 2, 5]
    assert "1 rows repeat a time" in series.notes[0]


def test_several_series_in_one_column_are_refused() -> None:
    with pytest.raises(DataError, match="several series"):
        read([*HOURS, *HOURS, *HOURS], list(range(36)))


def test_a_wrong_date_far_away_is_refused_and_named() -> None:
    times = list(pd.date_range("2024-01-01", periods=40, freq="h"))
    times[-1] = pd.Timestamp("2042-01-01")
    with pytest.raises(DataError, match=r"jumps by .* after 2024-01-02 14:00"):
        read(times, list(range(40)))


def test_a_text_that_is_no_date_is_named_with_its_row() -> None:
    with pytest.raises(DataError, match=r"'time' holds 'soon' in row 3"):
        read([*HOURS[:2], "soon", *HOURS[3:]], list(range(12)))


def test_a_missing_time_is_named_with_its_row() -> None:
    with pytest.raises(DataError, match=r"'time' holds nothing in row 2"):
        read([HOURS[0], None, *HOURS[2:]], list(range(12)))


def test_a_text_among_numbers_is_named_with_its_row() -> None:
    table = pa.table({"time": HOURS[:3], "y": ["1", "2", "n/a"]})
    with pytest.raises(DataError, match=r"'y' holds 'n/a' in row 3"):
        read_series(table, find_roles(table, targets=["y"]))


def test_a_column_without_values_is_left_out_unless_it_was_asked_for() -> None:
    empty = pa.array([None] * 3, pa.float64())
    table = pa.table({"time": HOURS[:3], "y": [1.0, 2.0, 3.0], "empty": empty})
    assert find_roles(table) == Roles("time", ("y",), ())
    with pytest.raises(DataError, match="'empty' holds no numbers"):
        read_series(table, find_roles(table, targets=["empty"]))


def test_a_column_that_is_not_there_is_named_with_its_field() -> None:
    with pytest.raises(DataError, match=r"no column 'z' \(task.targets\)"):
        find_roles(pa.table({"time": HOURS, "y": list(range(12))}), targets=["z"])


def test_a_season_is_found_under_noise_and_trend() -> None:
    generator = np.random.default_rng(1)
    rows = np.arange(3000)
    values = 0.01 * rows + np.sin(2 * np.pi * rows / 37) + 0.1 * generator.standard_normal(3000)
    assert find_season(values) == 37
    assert find_season(generator.standard_normal(3000).cumsum()) == 1
    assert find_season(np.ones(100)) == 1


def test_the_week_is_preferred_to_the_day_only_where_it_says_more() -> None:
    rows = np.arange(24 * 7 * 12)
    daily = np.sin(2 * np.pi * rows / 24)
    assert find_season(daily, (24, 168)) == 24
    assert find_season(daily * np.where(rows // 24 % 7 < 2, 0.1, 1.0), (24, 168)) == 168


def test_calendar_features_return_with_the_day_and_the_week() -> None:
    times = np.arange(0, 21 * DAY, HOUR)
    features = calendar_features(times, Frequency("time", HOUR))
    assert features.shape == (504, 6)
    assert features[0, :2] == pytest.approx(features[24, :2], abs=1e-6)
    assert features[0, 2:4] == pytest.approx(features[168, 2:4], abs=1e-6)
    assert features[0, 2:4] != pytest.approx(features[24, 2:4], abs=1e-2)


def hours(count: int) -> Series:
    return Series(np.arange(count) * HOUR, np.arange(count)[:, None] * 1.0, Frequency("time", HOUR))


def test_splits_are_in_the_order_of_time_and_look_back() -> None:
    config = BuiltinConfig(name="seasons", test_fraction=0.2, validation_fraction=0.1)
    splits, context, notes = cut_in_time({TRAIN: hours(100)}, config, (), context=8)
    assert splits[TRAIN].values[[0, -1], 0].tolist() == [0, 69]
    assert splits[VALIDATION].values[[0, -1], 0].tolist() == [62, 79]
    assert splits[TEST].values[[0, -1], 0].tolist() == [72, 99]
    assert context == {TRAIN: 0, VALIDATION: 8, TEST: 8}
    assert "the last 20 rows (20%) were set aside for test" in notes


def test_splits_by_numbers_of_rows_are_those_of_the_benchmarks() -> None:
    splits, _, notes = cut_in_time(
        {TRAIN: hours(17_420)}, BuiltinConfig(), (8640, 2880, 2880), context=336
    )
    assert [len(part) for part in splits.values()] == [8640, 2880 + 336, 2880 + 336]
    assert splits[TEST].values[-1, 0] == 14_399
    assert "3,020 rows are not used" in notes[0]


def test_too_many_rows_asked_for_is_an_error() -> None:
    with pytest.raises(DataError, match=r"task.split_rows asks for 120 rows; the data has 100"):
        cut_in_time({TRAIN: hours(100)}, BuiltinConfig(), (100, 10, 10), context=3)


def test_only_the_newest_training_rows_are_kept() -> None:
    config = BuiltinConfig(max_samples=10)
    splits, _, _ = cut_in_time({TRAIN: hours(100)}, config, (), context=4)
    assert splits[TRAIN].values[:, 0].tolist() == list(range(60, 70))


def test_a_split_of_the_source_looks_back_only_where_it_goes_on() -> None:
    whole = hours(100)
    config = BuiltinConfig(validation_fraction=0)
    parts = {TRAIN: whole.slice(0, 60), TEST: whole.slice(60, 100)}
    assert cut_in_time(parts, config, (), context=5)[1][TEST] == 5
    parts[TEST] = whole.slice(70, 100)
    assert cut_in_time(parts, config, (), context=5)[1][TEST] == 0


def test_a_table_keeps_what_its_columns_are_for() -> None:
    roles = Roles("when", ("y",), ())
    note = series_note(series_table(hours(5), roles, context=2))
    assert (note.roles, note.frequency, note.context) == (roles, Frequency("time", HOUR), 2)


def test_windows_look_at_one_series_without_a_copy() -> None:
    series = torch.arange(40.0).reshape(20, 2)
    source = WindowSource(
        series, torch.arange(20), channels=2, targets=1, window=4, horizon=3, stride=2
    )
    assert len(source) == 7
    assert source._windows.data_ptr() == series.data_ptr()
    [batch] = source.read([torch.tensor([0, 6])])
    assert batch.inputs["past"].shape == (2, 4, 2)
    assert batch.inputs["past"][1].tolist() == series[12:16].tolist()
    assert batch.targets[:, :, 0].tolist() == [[8, 10, 12], [32, 34, 36]]
    assert batch.inputs["time"].tolist() == [3, 15]
    assert batch.weight == 2


def test_series_that_are_too_short_have_no_windows() -> None:
    source = WindowSource(
        torch.zeros(5, 1), torch.arange(5), channels=1, targets=1, window=4, horizon=2
    )
    assert len(source) == 0


@pytest.mark.parametrize(
    ("name", "frequency", "season"), [("seasons", "1 hour", 24), ("months", "1 month", 12)]
)
def test_made_up_series_are_the_same_each_time_and_have_a_season(
    name: str, frequency: str, season: int
) -> None:
    table = load_data(BuiltinConfig(name=name)).train
    assert table.equals(load_data(BuiltinConfig(name=name)).train)
    roles = find_roles(table)
    series = read_series(table, roles)
    assert series.frequency.name == frequency
    assert series.notes == ()
    assert find_season(series.values[:, 0], series.frequency.seasons) == season


def test_made_up_months_begin_on_the_first() -> None:
    assert seasons.monthly().train["time"][1].as_py().date() == date(1984, 2, 1)
