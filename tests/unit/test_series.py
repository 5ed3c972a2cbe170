"""Tables become regular series, and repairs are reported."""

from __future__ import annotations

from datetime import date, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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
from engine.data.series.read import Fill, Series, read_series
from engine.data.series.roles import Roles, find_roles
from engine.data.series.seasonality import find_season
from engine.data.series.splits import (
    cut_in_time,
    series_note,
    series_table,
    split_series,
)
from engine.data.series.time_parts import read_time_parts
from engine.data.series.unread_times import unread_time_column
from engine.data.series.windows import WindowSource
from engine.errors import DataError
from engine.service.preview import preview


def microseconds(values: Any) -> np.ndarray[Any, Any]:
    return pd.DatetimeIndex(values).as_unit("us").asi8


def read(times: list[Any], values: list[Any], fill: Fill = "linear") -> Series:
    table = pa.table({"time": times, "y": values})
    return read_series(table, find_roles(table), fill)


HOURS = [f"2024-03-01 {hour:02}:00" for hour in range(12)]
LAST_FRIDAYS = pd.offsets.LastWeekOfMonth(weekday=4)


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
        (pd.date_range("2024-01-01", periods=50, freq="BME"), "1 month"),
        (pd.date_range("2024-01-01", periods=50, freq="BMS"), "1 month"),
        (pd.date_range("2024-01-01", periods=50, freq="BQE"), "3 months"),
        (pd.date_range("2024-01-01", periods=50, freq="WOM-3FRI"), "1 month"),
        (
            pd.date_range("2024-01-01", periods=50, freq=pd.offsets.LastWeekOfMonth(weekday=4)),
            "1 month",
        ),
    ],
)
def test_frequency_is_found_and_extended_as_pandas_does(times: pd.DatetimeIndex, name: str) -> None:
    given = microseconds(times)
    frequency = find_frequency(given[:30], dated=True)
    assert frequency.name == name
    assert frequency.regular
    assert frequency.along(int(given[29]), np.arange(1, 21)).tolist() == given[30:].tolist()
    assert frequency.positions(given).tolist() == list(range(50))


@pytest.mark.parametrize(
    ("start", "day", "coming"),
    [
        ("2022-11-28", 28, ["2023-02-28", "2023-03-28", "2023-04-28"]),
        ("2022-11-30", 30, ["2023-02-28", "2023-03-30", "2023-04-30"]),
        ("2023-11-29", 29, ["2024-02-29", "2024-03-29", "2024-04-29"]),
    ],
)
def test_a_day_of_the_month_is_kept_through_february(
    start: str, day: int, coming: list[str]
) -> None:
    times = microseconds([pd.Timestamp(start) + pd.DateOffset(months=i) for i in range(20)])
    frequency = find_frequency(times, dated=True)
    assert frequency == Frequency("month", 1, anchor=f"{day} day")
    february, *rest = microseconds(coming).tolist()
    assert february == times[3]
    assert frequency.along(february, np.array([1, 2])).tolist() == rest


def test_a_holiday_does_not_hide_the_last_business_day() -> None:
    # Good Friday, 29 March 2024, was the last business day of its month.
    times = microseconds(pd.date_range("2023-01-01", periods=40, freq="BME"))
    times[14] = microseconds(["2024-03-28"])[0]
    assert find_frequency(times, dated=True) == Frequency("month", 1, anchor="-1 business")


def test_gaps_do_not_hide_the_frequency() -> None:
    times = np.delete(microseconds(pd.date_range("2024-01-01", periods=90, freq="ME")), [4, 5, 40])
    assert find_frequency(times, dated=True) == Frequency("month", 1)


def test_times_without_a_grid_count_as_one_step_each() -> None:
    generator = np.random.default_rng(0)
    times = np.cumsum(generator.integers(50, 70, 200)) * 1_000_000
    series = read(list(times.astype("M8[us]")), list(range(200)))
    assert not series.frequency.regular
    assert len(series) == 200
    assert "no regular step" in " ".join(note.why for note in series.notes)


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


MONTHS = pd.date_range("2015-01-01", periods=120, freq="MS")
QUARTERS = pd.date_range("1995-01-01", periods=40, freq="QS")
YEARS = pd.date_range("2000-01-01", periods=24, freq="YS")
WEEKS = pd.date_range("2010-01-04", periods=150, freq="7D")
DAYS = pd.date_range("2023-01-20", periods=150)
HALF_HOURS = pd.date_range("2023-01-20", periods=150, freq="30min")


@pytest.mark.parametrize(
    ("times", "written"),
    [
        *[(MONTHS, list(MONTHS.strftime(spelling))) for spelling in (
            "%b-%y", "%y-%b", "%m/%y", "%m/%Y", "%Y/%m", "%Y-%m", "%B %Y", "%YM%m", "%d/%m/%Y",
            "%m/%d/%Y", "%d.%m.%Y", "%d.%m.%y", "%d-%b-%y", "%Y%m",
        )],
        *[(MONTHS, [f"{names.split()[day.month - 1]}{day.year % 100:02}" for day in MONTHS])
          for names in (
            "Jan- Feb- Mär- Apr- Mai- Jun- Jul- Aug- Sep- Okt- Nov- Dez-",
            "janv.- févr.- mars- avr.- mai- juin- juil.- août- sept.- oct.- nov.- déc.-",
            "ene- feb- mar- abr- may- jun- jul- ago- sep- oct- nov- dic-",
            "Jan- Feb- Mar- Apr- May- June- July- Aug- Sept- Oct- Nov- Dec-",
        )],
        (MONTHS, [int(month) for month in MONTHS.strftime("%Y%m")]),
        (QUARTERS, list(QUARTERS.strftime("%d/%m/%Y"))),
        (QUARTERS, list(QUARTERS.strftime("%m/%d/%Y"))),
        (QUARTERS, [f"{day.year}Q{day.quarter}" for day in QUARTERS]),
        (QUARTERS, [f"Q{day.quarter} {day.year}" for day in QUARTERS]),
        (QUARTERS, [f"{day.quarter}Q{day.year % 100:02}" for day in QUARTERS]),
        (QUARTERS[::2], [f"{day.year}-H{(day.month + 5) // 6}" for day in QUARTERS[::2]]),
        (QUARTERS, [f"FY{day.year} Q{day.quarter}" for day in QUARTERS]),
        (QUARTERS, [f"Q{day.quarter} FY{day.year % 100:02}" for day in QUARTERS]),
        (MONTHS, [f"FY{day.year}-P{day.month:02}" for day in MONTHS]),
        (MONTHS, [f"P{day.month} FY{day.year % 100:02}" for day in MONTHS]),
        (MONTHS, [f"{day.year} period {day.month}" for day in MONTHS]),
        (YEARS, [f"FY{day.year}" for day in YEARS]),
        (YEARS, [f"{day.year}/{(day.year + 1) % 100:02}" for day in YEARS]),
        (YEARS, [f"{day.year}-{(day.year + 1) % 100:02}" for day in YEARS]),
        (YEARS[:11], [f"{day.year}-{(day.year + 1) % 100:02}" for day in YEARS[:11]]),
        (YEARS[11:], [f"{day.year}-{(day.year + 1) % 100:02}" for day in YEARS[11:]]),
        (DAYS, list(DAYS.strftime("%d/%m/%Y")[:75]) + list(DAYS.strftime("%Y-%m-%d")[75:])),
        (DAYS, list(DAYS.strftime("%m/%d/%Y")[:75]) + list(DAYS.strftime("%b %d, %Y")[75:])),
        (DAYS, list(DAYS.strftime("%Y/%m/%d")[:75]) + list(DAYS.strftime("%d.%m.%Y")[75:])),
        (WEEKS, list(WEEKS.strftime("%G-W%V"))),
        (WEEKS, list(WEEKS.strftime("W%V/%G"))),
        (WEEKS, list(WEEKS.strftime("%G-%V"))),
        (WEEKS, [int(week) for week in WEEKS.strftime("%G%V")]),
        (DAYS, [int(day) for day in DAYS.strftime("%Y%m%d")]),
        (DAYS, [float(day) for day in DAYS.strftime("%Y%m%d")]),
        (DAYS, [f"{day}T00:00:00+05:30" for day in DAYS.strftime("%Y-%m-%d")]),
        (HALF_HOURS, [int(time) for time in HALF_HOURS.strftime("%Y%m%d%H%M")]),
        (HALF_HOURS, list(HALF_HOURS.strftime("%d.%m.%Y %H:%M"))),
        (HALF_HOURS, list(HALF_HOURS.strftime("%m/%d/%y %I:%M %p"))),
    ],
)  # fmt: skip
def test_dates_are_read_as_they_were_meant(times: pd.DatetimeIndex, written: list[Any]) -> None:
    table = pa.table({"date": written, "y": list(range(len(written)))})
    roles = find_roles(table)
    assert roles.time == "date"
    series = read_series(table, roles)
    assert series.times.tolist() == microseconds(times).tolist()
    assert series.filled is None
    newest_first = read_series(table.take(list(range(len(written)))[::-1]), roles)
    assert newest_first.times.tolist() == series.times.tolist()
    assert newest_first.spelling == series.spelling
    assert newest_first.values.tolist() == series.values.tolist()


def test_the_order_of_day_and_month_is_that_of_the_training_rows() -> None:
    first = read(list(MONTHS.strftime("%d/%m/%Y")), list(range(120)))
    table = pa.table({"time": ["01/02/2025", "01/03/2025", "01/04/2025"], "y": [1, 2, 3]})
    later = read_series(table, find_roles(table), "linear", first.frequency, first.spelling)
    expected = microseconds(["2025-02-01", "2025-03-01", "2025-04-01"]).tolist()
    assert later.times.tolist() == expected
    # Also where a later file has another spelling in which the order is open.
    table = pa.table({"time": ["01.02.25", "01.03.25", "01.04.25"], "y": [1, 2, 3]})
    later = read_series(table, find_roles(table), "linear", first.frequency, first.spelling)
    assert later.times.tolist() == expected
    table = pa.table({"time": ["01/02/2025", "01/03/2025", "01/14/2025"], "y": [1, 2, 3]})
    with pytest.raises(DataError, match=r"'time' holds '01/14/2025' in row 3"):
        read_series(table, find_roles(table), "linear", first.frequency, first.spelling)


def test_a_date_in_the_other_order_is_named_not_turned() -> None:
    days = list(DAYS.strftime("%d/%m/%Y"))
    days[::2] = DAYS[::2].strftime("%Y-%m-%d")
    days[33] = DAYS[33].strftime("%m/%d/%Y")
    with pytest.raises(DataError, match=rf"'{days[33]}' in row 34, .*day before the month, as oth"):
        read(days, list(range(150)))


def test_dates_that_are_written_in_several_ways_or_are_fiscal_years_are_reported() -> None:
    days = [*DAYS.strftime("%d/%m/%Y")[:75], *DAYS.strftime("%Y-%m-%d")[75:]]
    assert "time are written in several ways" in read(days, list(range(150))).notes[0].why
    years = [f"FY{year % 100:02}" for year in range(1990, 2024)]
    assert "fiscal years" in read(years, list(range(34))).notes[0].why


def test_a_text_among_numbers_is_named_where_there_is_nothing_to_forecast() -> None:
    values = [*map(str, range(20)), "closed", *map(str, range(20))]
    table = pa.table({"day": DAYS[:41].date.tolist(), "shop": ["a"] * 41, "sales": values})
    with pytest.raises(DataError, match="'sales' holds 'closed' in row 21"):
        find_roles(table)


def test_days_without_a_year_are_no_dates() -> None:
    with pytest.raises(DataError, match=r"'time' holds '3 Jan' in row 1, which is not a date"):
        read_series(
            pa.table({"time": ["3 Jan", "4 Jan", "5 Jan"], "y": [1, 2, 3]}),
            Roles("time", ("y",), ()),
        )


def test_a_number_among_dates_that_is_none_is_named_with_its_row() -> None:
    days = [int(day) for day in DAYS.strftime("%Y%m%d")]
    days[40] = 20230230
    with pytest.raises(DataError, match=r"'time' holds 20230230 in row 41, which is not a date"):
        read(days, list(range(150)))


def test_an_order_of_day_and_month_that_is_open_is_reported() -> None:
    days = [f"0{day}/02/2024" for day in range(1, 8)]
    note = read(days, list(range(7))).notes[0].why
    assert "time is read with the month before day; the other order fits as well" in note
    [settled] = read(list(MONTHS.strftime("%d/%m/%Y")), list(range(120))).notes
    assert settled.why == "time is read with the day before month"


def test_two_readings_in_neighbouring_hours_of_utc_are_no_days() -> None:
    times = [day + pd.Timedelta(hours=hour) for day in DAYS[:20] for hour in (22, 23)]
    table = pa.table({"t": in_zone(pd.DatetimeIndex(times, tz="UTC"), "UTC"), "y": [0.0] * 40})
    with pytest.raises(DataError, match="steps of 1 hour, but jumps by 23 of them"):
        read_series(table, find_roles(table))


def test_numbers_that_were_learned_as_counts_stay_counts() -> None:
    table = pa.table({"date": [20230101, 20230102, 20230103], "y": [1.0, 2.0, 3.0]})
    series = read_series(table, find_roles(table), "linear", Frequency("number", 1))
    assert series.times.tolist() == [20230101, 20230102, 20230103]


def test_numbers_of_two_bytes_are_read_like_larger_ones() -> None:
    halves = np.arange(40, dtype=np.float16) / 4
    table = pa.table({"step": np.arange(40, dtype=np.float16), "y": halves})
    series = read_series(table, find_roles(table))
    assert series.times.tolist() == list(range(40))
    assert series.values[:, 0].tolist() == [i / 4 for i in range(40)]


HOURLY = pd.date_range("2023-01-30", periods=48, freq="h")


@pytest.mark.parametrize(
    ("times", "parts"),
    [
        (MONTHS, {"year": MONTHS.year, "month": MONTHS.month}),
        (MONTHS, {"Month": MONTHS.strftime("%b"), "Year": MONTHS.year}),
        (QUARTERS, {"year": QUARTERS.year, "quarter": QUARTERS.quarter}),
        (QUARTERS, {"year": QUARTERS.year, "quarter": [f"Q{n}" for n in QUARTERS.quarter]}),
        (QUARTERS, {"Jahr": QUARTERS.year, "Quartal": [f"{n}. Quartal" for n in QUARTERS.quarter]}),
        (QUARTERS, {"FiscalYear": QUARTERS.year, "FiscalQuarter": QUARTERS.quarter}),
        (QUARTERS, {"fy": [f"FY{n}" for n in QUARTERS.year], "q": QUARTERS.quarter}),
        (MONTHS, {"fiscal_year": MONTHS.year, "period": [f"P{n:02}" for n in MONTHS.month]}),
        (MONTHS, {"Year": MONTHS.year, "Period": MONTHS.month}),
        (DAYS, {"year": DAYS.year, "month": DAYS.month, "day": DAYS.day}),
        (HOURLY, {"date": HOURLY.strftime("%Y-%m-%d"), "hr": HOURLY.hour}),
        (HOURLY, {"Date": HOURLY.strftime("%d/%m/%Y"), "Time": HOURLY.strftime("%H.%M.%S")}),
        (HOURLY, {"date": [int(day) for day in HOURLY.strftime("%Y%m%d")], "hour": HOURLY.hour}),
    ],
)
def test_a_time_in_several_columns_is_put_together(
    times: pd.DatetimeIndex, parts: dict[str, Any]
) -> None:
    columns = {name: pa.array(list(values)) for name, values in parts.items()}
    table = pa.table(columns | {"y": pa.array(range(len(times)))})
    roles = find_roles(table)
    assert sorted(roles.parts) == sorted(parts)
    assert (roles.targets, roles.inputs) == (("y",), ())
    assert read_series(table, roles).times.tolist() == microseconds(times).tolist()


@pytest.mark.parametrize(
    ("part", "values", "wrong"),
    [
        ("quarter", ["winter", "spring", "summer", "autumn"], "'winter' in row 1"),
        ("week", [*range(1, 54)], "53' in row 106"),  # 2020 has 53 weeks, 2021 has not
    ],
)
def test_parts_of_a_year_that_are_not_read_are_no_series(
    part: str, values: list[Any], wrong: str
) -> None:
    """Each quarter was a series with a row a year."""
    years = np.repeat(np.arange(2020, 2030), len(values))
    columns = {"year": years.tolist(), part: values * 10, "y": list(range(len(years)))}
    table = pa.table(columns)
    roles = find_roles(table)
    with pytest.raises(DataError, match=f"{part}' begins again in each 'year'.*{wrong}"):
        read_series(table, roles)


def test_a_month_beside_a_date_stays_an_input() -> None:
    table = pa.table({"date": list(DAYS), "month": list(DAYS.month), "y": list(range(150))})
    assert find_roles(table) == Roles("date", ("y",), ("month",))


def in_zone(times: pd.DatetimeIndex, zone: str) -> pa.Array:
    return pa.array(microseconds(times.tz_convert("UTC").tz_localize(None))).cast(
        pa.timestamp("us", tz=zone)
    )


@pytest.mark.parametrize(("freq", "name"), [("D", "1 day"), ("W", "1 week"), ("MS", "1 month")])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_days_with_a_zone_are_those_of_its_clocks(zone: str, freq: str, name: str) -> None:
    days = pd.date_range("2022-01-01", periods=60, freq=freq)
    table = pa.table({"t": in_zone(days.tz_localize(zone), zone), "y": list(range(60))})
    series = read_series(table, find_roles(table))
    assert series.times.tolist() == microseconds(days).tolist()
    assert series.frequency.name == name
    assert series.filled is None


def test_midnights_that_summer_time_betrays_are_days() -> None:
    # A reader of CSV turns 2023-03-26T00:00:00+01:00 and 2023-03-27T00:00:00+02:00 into UTC.
    days = pd.date_range("2023-03-01", periods=60)
    table = pa.table({"t": in_zone(days.tz_localize("Europe/Berlin"), "UTC"), "y": [0.0] * 60})
    assert read_series(table, find_roles(table)).times.tolist() == microseconds(days).tolist()


def test_hours_with_a_zone_are_counted_in_utc_and_shown_on_its_clocks() -> None:
    # On 26 March 2023 the hour after 01:00 was 03:00.
    start = pd.date_range("2023-03-25", periods=48, freq="h", tz="Europe/Berlin")
    table = pa.table({"t": in_zone(start, "Europe/Berlin"), "y": [float(i) for i in range(48)]})
    series = read_series(table, find_roles(table))
    assert series.filled is None
    text = series.frequency.text
    assert [text(int(time)) for time in series.times[[0, 25, 26]]] == [
        "2023-03-25 00:00+01:00", "2023-03-26 01:00+01:00", "2023-03-26 03:00+02:00",
    ]  # fmt: skip
    hours = calendar_features(series.times, series.frequency)[:, 0]
    assert hours[26] == pytest.approx(np.sin(2 * np.pi * 3 / 24), abs=1e-6)
    assert "times are in the zone Europe/Berlin" in [note.why for note in series.notes]
    naive = pa.table({"t": ["2023-03-26 01:00", "2023-03-26 03:00"], "y": [1.0, 2.0]})
    later = read_series(naive, find_roles(naive), "linear", series.frequency, series.spelling)
    assert later.times.tolist() == series.times[[25, 26]].tolist()


@pytest.mark.parametrize("written", [False, True])
def test_hours_with_a_zone_are_those_of_its_clocks_if_such_were_trained_on(written: bool) -> None:
    hours = pd.date_range("2023-03-25", periods=48, freq="h", tz="Europe/Berlin")
    clocks, roles = hours.tz_localize(None), Roles("t", ("y",), ())
    known = read_series(pa.table({"t": pa.array(clocks[:24]), "y": [0.0] * 24}), roles)
    texts = pa.array([hour.isoformat() for hour in hours])
    later = pa.table({"t": texts if written else in_zone(hours, "Europe/Berlin"), "y": [1.0] * 48})
    series = read_series(later, roles, "linear", known.frequency, known.spelling)
    assert set(microseconds(clocks)) <= set(series.times.tolist())
    assert series.times[-1] == microseconds(clocks)[-1]
    said = "times in the zone Europe/Berlin are taken as its clocks show them"
    assert said in [note.why for note in series.notes]


def berlin() -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Hours of a year with both changes of the clocks, and values that follow these clocks."""
    hours = pd.date_range("2023-12-31 23:00", periods=366 * 24, freq="h", tz="UTC")
    local = hours.tz_convert(ZoneInfo("Europe/Berlin"))
    return local, np.sin(2 * np.pi * local.hour / 24) + 2.0 * (local.hour == 8)


@pytest.mark.parametrize("written", [False, True])
def test_a_local_series_with_a_doubled_and_a_missing_hour_keeps_its_season(written: bool) -> None:
    local, values = berlin()
    clocks = local.tz_localize(None)
    times = pa.array(clocks.strftime("%d.%m.%Y %H:%M")) if written else pa.array(clocks)
    series = read_series(pa.table({"time": times, "y": values}), Roles("time", ("y",), ()))
    assert find_season(series.values[:, 0], series.frequency.seasons) == 24
    # As many hours as the clocks showed: one was doubled and one was left out.
    expected = pd.date_range(clocks[0], clocks[-1], freq="h")
    assert series.times.tolist() == microseconds(expected).tolist()
    at = pd.DatetimeIndex(series.times.astype("M8[us]"))
    off = np.abs(series.values[:, 0] - np.sin(2 * np.pi * at.hour / 24) - 2.0 * (at.hour == 8))
    assert off.max() < 0.02
    told = " ".join(note.why for note in series.notes)
    assert "1 repeated row" in told
    assert "1 gap in time with 1 step of 1 hour in all" in told
    assert "after 2024-03-31 01:00" in told


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_any_resolution_are_the_same_hours(unit: str) -> None:
    local, values = berlin()
    scale = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    typed = pa.array(local.as_unit(unit))
    since_1970 = pa.array(local.as_unit("ns").asi8 // scale)
    for times, zone in ((typed, "Europe/Berlin"), (since_1970, "")):
        series = read_series(pa.table({"time": times, "y": values}), Roles("time", ("y",), ()))
        assert series.times.tolist() == microseconds(local).tolist()
        assert (series.frequency.name, series.frequency.zone) == ("1 hour", zone)
        assert find_season(series.values[:, 0], series.frequency.seasons) == 24
        assert series.values[:, 0].tolist() == values.tolist()


def test_texts_with_offsets_are_hours_without_a_gap() -> None:
    start = pd.date_range("2023-03-25", periods=48, freq="h", tz="Europe/Berlin")
    series = read([time.isoformat() for time in start], list(range(48)))
    assert series.times.tolist() == microseconds(start.tz_convert("UTC").tz_localize(None)).tolist()
    assert series.frequency == Frequency("time", HOUR, zone="Europe/Berlin")
    assert series.frequency.text(int(series.times[0])) == "2023-03-25 00:00+01:00"
    assert [note.why for note in series.notes] == [
        "times have the offsets of clocks in Europe/Berlin, summer time included, and are shown by "
        "them"
    ]


@pytest.mark.parametrize(("zone", "found"), [
    ("Europe/Paris", "Europe/Berlin"), ("America/Toronto", "America/New_York"),
    ("Australia/Melbourne", "Australia/Sydney"), ("America/Sao_Paulo", "-03:00"),
    ("Asia/Kolkata", "+05:30"), ("UTC", "UTC"),
])  # fmt: skip
def test_calendar_features_of_times_with_offsets_follow_the_clocks(zone: str, found: str) -> None:
    hours = pd.date_range("2022-01-01", "2023-12-31", freq="h", tz=zone)
    series = read([time.isoformat() for time in hours], list(range(len(hours))))
    assert series.frequency.zone == found
    angles = 2 * np.pi * hours.hour.to_numpy() / 24
    waves = calendar_features(series.times, series.frequency)[:, :2]
    assert waves == pytest.approx(np.stack([np.sin(angles), np.cos(angles)], 1), abs=1e-6)


def test_offsets_of_no_zone_are_those_of_the_newest_time_with_a_doubt() -> None:
    hours = pd.date_range("2023-01-01", periods=24 * 8 + 12, freq="h", tz="UTC")
    zones = (timezone(timedelta(hours=4 - hour.day % 2)) for hour in hours)
    texts = [hour.astimezone(zone).isoformat() for hour, zone in zip(hours, zones, strict=True)]
    series = read(texts, list(range(len(texts))))
    assert series.frequency.zone == "+03:00"
    [note] = [note for note in series.notes if "offsets" in note.why]
    assert "+03:00, the newest of several" in note.why
    assert note.kind == "doubt"


@pytest.mark.parametrize("scale", [1, 1_000, 1_000_000])
def test_seconds_since_1970_are_dates(scale: int) -> None:
    start = 1_700_000_000
    series = read([(start + 3600 * i) * scale for i in range(10)], list(range(10)))
    assert series.frequency == Frequency("time", HOUR)
    assert series.times[0] == start * 1_000_000


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("unix", [1_700_006_400 + 86_400 * i for i in range(30)], "unix"),
        ("x", [1_700_006_400_000 + 300_000 * i for i in range(30)], "x"),
        ("x", [1_700_006_400_000 - 300_000 * i for i in range(30)], "x"),
        ("x", [1_700_006_400 + 86_400 * i + i**3 % 997 * 31 for i in range(30)], ""),
        ("order", [1_700_006_400 + i + i // 2 * 5 + i // 3 * 9 for i in range(30)], ""),
        ("x", [170_000_640 + 86_400 * i for i in range(30)], ""),
    ],
)
def test_regular_seconds_since_1970_are_the_time_whatever_their_name(
    name: str, values: list[int], expected: str
) -> None:
    table = pa.table({"sales": [float(i % 7) for i in range(30)], name: values})
    assert find_roles(table, targets=["sales"]).time == expected


def series_values(path: Path, text: str) -> dict[str, Any]:
    path.write_text(text)
    return {
        "task": {"kind": "forecasting", "targets": ["y"], "window": 6, "horizon": 2},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "dlinear"},
    }


@pytest.mark.parametrize("step", ["1.5", "0.0833", "-3600.5"])
def test_an_input_that_may_be_the_time_is_a_doubt(tmp_path: Path, step: str) -> None:
    rows = "".join(f"{1990 + float(step) * i:.3f},{i % 7 + 0.5}\n" for i in range(80))
    summary = preview(series_values(tmp_path / "a.csv", f"elapsed,y\n{rows}"))["summary"]
    doubts = [note for note in summary["notes"] if note["change"] == "task.time=elapsed"]
    assert [note["column"] for note in doubts] == ["elapsed"]


@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S+01:00"])
def test_a_preview_shows_times_as_the_file_has_them(tmp_path: Path, form: str) -> None:
    hours = pd.date_range("2024-03-01", periods=80, freq="h")
    texts = [time.strftime(form) for time in hours]
    rows = "".join(f"{text},{i % 7 + 0.5}\n" for i, text in enumerate(texts))
    answer = preview(series_values(tmp_path / "a.csv", f"t,y\n{rows}"), rows=3)
    shown = [row[0].replace(" ", "T") for row in answer["rows"]]
    assert shown == [text.replace(" ", "T").replace(":00+", "+") for text in texts[:3]]


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
    assert "1 gap in time" in note.why
    assert "3 steps" in note.why
    assert "2024-03-01 03:00" in note.why


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
    assert "y: 4 missing or infinite values (the first in row 1)" in series.notes[0].why


def test_the_row_where_time_goes_back_is_that_of_the_file() -> None:
    days = [1, 1, 1, 2, 3, 5, 4, 6]
    values = [0.5, 0.5, 0.5, 1, 2, 4, 3, 5]
    series = read([f"2024-03-{day:02}" for day in days], values)
    assert any("goes back 1 time (first in row 7)" in note.why for note in series.notes)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize(
    ("clocks", "seconds"),
    [
        (["07:00:00.500", "17:24:00.500"], [25200.5, 62640.5]),
        (["7:05", "17:24"], [25500, 62640]),
        (["17.24.00", "17.24.10"], [62640, 62650]),
        (["17:24.5", "17:25.5"], [62640.5, 62700.5]),
    ],
)
def test_times_of_day_beside_dates_are_read_with_their_fractions(
    kind: pa.DataType, clocks: list[str], seconds: list[float]
) -> None:
    table = pa.table({
        "date": pa.array(["2024-03-01", "2024-03-01", "2024-03-02", "2024-03-02"], kind),
        "time": pa.array(clocks * 2, kind),
        "v": [1.0, 2.0, 3.0, 4.0],
    })  # fmt: skip
    column = read_time_parts(table, ("date", "time"))
    begin = microseconds(["2024-03-01"])[0]
    expected = [begin + (day * 86400 + second) * 1e6 for day in (0, 1) for second in seconds]
    assert column.times.tolist() == expected
    assert find_roles(table).time == "date time"


def test_a_time_column_without_values_is_no_unread_one() -> None:
    table = pa.table({"date": pa.array([None, None], pa.string()), "y": [1.0, 2.0]})
    assert unread_time_column(table) == ""


@pytest.mark.parametrize("name", ["week", "Quartal", "semaine"])
def test_a_part_of_a_year_that_is_not_read_is_an_unread_time(name: str) -> None:
    table = pa.table({name: [f"wk {n} of 24" for n in range(9)], "y": list(range(9))})
    assert unread_time_column(table) == name


def test_months_with_a_zone_are_shown_by_the_minute() -> None:
    months = Frequency("month", 1, zone="UTC")
    assert months.text(int(microseconds(["2021-12-01 06:00"])[0])) == "2021-12-01 06:00+00:00"


def test_missing_values_can_be_refused_with_their_row() -> None:
    with pytest.raises(DataError, match=r"y: 1 missing or infinite value .* in row 3"):
        read(HOURS[:4], [1.0, 2.0, None, 4.0], "refuse")


def test_time_that_goes_back_is_sorted_and_counted() -> None:
    order = [0, 1, 5, 3, 4, 2, 6, 7]
    series = read([HOURS[i] for i in order], order)
    assert series.values[:, 0].tolist() == list(range(8))
    assert "goes back 2 times (first in row 4)" in series.notes[0].why


def test_repeated_times_become_their_mean() -> None:
    series = read([HOURS[0], HOURS[1], HOURS[1], HOURS[2]], [0.0, 1.0, 3.0, 5.0])
    assert series.values[:, 0].tolist() == [0, 2, 5]
    assert "1 row with a time of time that occurs before" in series.notes[0].why


def test_several_series_in_one_column_are_refused() -> None:
    with pytest.raises(DataError, match="several series"):
        read([*HOURS, *HOURS, *HOURS], list(range(36)))


HUNDRED = pd.date_range("2023-01-01", periods=100)


def shops(first: Any, second: Any, *names: Any, column: str = "shop") -> pa.Table:
    """Sales of about 100 and of about 900, shop after shop."""
    count = len(first), len(second)
    return pa.table({
        column: [names[0]] * count[0] + [names[1]] * count[1],
        "date": [*first, *second],
        "sales": [100.0 + i % 7 for i in range(count[0])] + [900.0 + i for i in range(count[1])],
    })  # fmt: skip


@pytest.mark.parametrize(
    "table",
    [
        shops(HUNDRED, HUNDRED, "A", "B"),
        shops(HUNDRED, HUNDRED + pd.Timedelta("1D"), "A", "B"),
        shops(HUNDRED, HUNDRED + pd.Timedelta("50D"), "A", "B"),
        shops(HUNDRED, HUNDRED + pd.Timedelta("12h"), "A", "B"),
        shops(HUNDRED, HUNDRED + pd.Timedelta("12h"), "A", "B").sort_by("date"),
        shops(HUNDRED, HUNDRED + pd.Timedelta("100D"), "A", "B"),
        shops(HUNDRED + pd.Timedelta("100D"), HUNDRED, "A", "B"),
        shops(HUNDRED, HUNDRED + pd.Timedelta("100D"), 1, 2),
        shops(HUNDRED, HUNDRED + pd.Timedelta("50D"), 1, 2),
        shops(HUNDRED, HUNDRED + pd.Timedelta("12h"), 1.0, 2.0),
        shops(HUNDRED, HUNDRED + pd.Timedelta("12h"), 1, 2).sort_by("date"),
    ],
)
def test_the_column_that_tells_series_apart_is_named(table: pa.Table) -> None:
    with pytest.raises(DataError, match=r"several series: the column 'shop' tells 2 apart") as told:
        read_series(table, find_roles(table))
    kept = f"Keep the rows of one of them, such as shop = {table['shop'][0]}"
    assert told.value.hint.startswith(kept)


def test_a_column_of_any_name_tells_series_apart_where_time_starts_again_with_it() -> None:
    table = shops(HUNDRED, HUNDRED + pd.Timedelta("12h"), "x", "y", column="kind")
    with pytest.raises(DataError, match="'kind' tells 2 apart"):
        read_series(table, find_roles(table))


def test_two_columns_may_tell_series_apart_together() -> None:
    keys = [(store, item) for store in (1, 2) for item in ("x", "y")]
    table = pa.table({
        "store_nbr": [store for store, _ in keys for _ in HUNDRED],
        "item": [item for _, item in keys for _ in HUNDRED],
        "date": list(HUNDRED) * 4,
        "sales": [float(i % 11) for i in range(400)],
    })  # fmt: skip
    with pytest.raises(DataError, match="the columns 'item' and 'store_nbr' tell 4 apart"):
        read_series(table, find_roles(table))


def test_three_columns_may_tell_series_apart_together() -> None:
    days = pd.date_range("2024-01-01", periods=30)
    names = ["region", "shop", "sku", "day"]
    parts = pd.MultiIndex.from_product([["N", "S"], ["1", "2"], ["a", "b"], days], names=names)
    table = pa.Table.from_pandas(parts.to_frame(index=False).assign(y=np.arange(240.0)))
    with pytest.raises(DataError, match="tell 8 apart") as error:
        read_series(table, find_roles(table))
    assert all(repr(name) in error.value.message for name in names[:3])


def test_times_that_often_repeat_are_several_series_without_a_name() -> None:
    table = shops(HUNDRED, HUNDRED + pd.Timedelta("1D"), "A", "B").drop_columns("shop")
    with pytest.raises(DataError, match=r"'date' repeats each time about 2 times"):
        read_series(table, find_roles(table))


@pytest.mark.parametrize(
    "beside",
    [
        {"weekday": list(HUNDRED.strftime("%A"))},
        {"phase": ["a"] * 50 + ["b"] * 50},
        {"store": [3] * 100},
        {"item": list(range(100))},
        {"customer": [i * i % 17 for i in range(100)]},
    ],
)
def test_columns_beside_one_series_do_not_split_it(beside: dict[str, Any]) -> None:
    table = pa.table({"date": list(HUNDRED)} | beside | {"sales": [float(i) for i in range(100)]})
    assert len(read_series(table, find_roles(table))) == 100


def test_rows_that_are_there_twice_are_used_once_and_counted() -> None:
    table = pa.table({"date": list(HUNDRED) * 2, "sales": [float(i) for i in range(100)] * 2})
    series = read_series(table, find_roles(table))
    assert series.values[:, 0].tolist() == list(range(100))
    assert "100 repeated rows with the same values (the first is row 101)" in series.notes[0].why


@pytest.mark.parametrize("order", [1, -1])
def test_rows_without_a_target_at_the_ends_are_left_out_when_asked(order: int) -> None:
    sales = [None, None, 3.0, None, 5.0, 6.0, None, None, None]
    table = pa.table({"time": HOURS[:9][::order], "promo": [1] * 9, "sales": sales[::order]})
    series = read_series(table, find_roles(table), "linear", known_only=True)
    assert series.values[:, 0].tolist() == [3, 4, 5, 6]
    assert series.filled is not None
    assert series.filled.tolist() == [[False, False], [True, False], [False, False], [False, False]]
    assert series.frequency.text(int(series.times[-1])) == "2024-03-01 05:00"
    notes = " ".join(note.why for note in series.notes)
    assert "2 rows at the beginning without sales: left out" in notes
    assert "3 rows at the end without sales: left out, as the future to forecast" in notes
    assert "a forecast does not use their promo" in notes


def test_the_future_is_no_missing_value_that_could_be_refused() -> None:
    table = pa.table({"time": HOURS[:5], "y": [1.0, 2.0, 3.0, None, None]})
    assert len(read_series(table, find_roles(table), "refuse", known_only=True)) == 3


def test_texts_of_numbers_are_forecast_only_where_nothing_else_is() -> None:
    table = pa.table({"time": HOURS[:3], "close": [1.0, 2.0, 3.0], "volume": ["66,422", "1", "2"]})
    assert find_roles(table) == Roles("time", ("close",), ("volume",))


def test_numbers_with_marks_of_thousands_are_numbers() -> None:
    table = pa.table({"time": HOURS[:3], "y": ["1,006.60", "992.77", "-0.5"]})
    series = read_series(table, find_roles(table))
    assert series.values[:, 0].tolist() == [1006.6, 992.77, -0.5]


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


def test_a_number_too_large_to_compute_with_is_named_with_its_row() -> None:
    table = pa.table({"time": HOURS, "y": [1.0] * 4 + [-1e300] + [1.0] * 7})
    with pytest.raises(DataError, match=r"'y' holds -1e\+300 in row 5, where numbers up to 1e\+30"):
        read_series(table, Roles("time", ("y",), ()))


@pytest.mark.parametrize(
    ("names", "target"),
    [
        (["sales", "price"], "sales"),
        (["price", "sales", "stock"], "sales"),
        (["open", "close", "adj close", "price"], "adj close"),
        (["price", "stock"], "price"),
    ],
)
def test_what_is_sold_is_forecast_rather_than_its_price(names: list[str], target: str) -> None:
    table = pa.table({"time": HOURS, **{name: list(range(12)) for name in names}})
    assert find_roles(table).targets == (target,)


def test_a_text_among_numbers_is_named_with_its_row() -> None:
    table = pa.table({"time": HOURS[:3], "y": ["1", "2", "many"]})
    with pytest.raises(DataError, match=r"'y' holds 'many' in row 3"):
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


def test_noise_of_few_values_has_no_season() -> None:
    found = []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        found += [find_season(generator.standard_normal(140), (7,))]
        found += [find_season(generator.poisson(0.5, 140).astype(float), (7,))]
    assert found.count(1) >= 72
    week = np.sin(2 * np.pi * np.arange(140) / 7)
    noise = np.random.default_rng(0).standard_normal(140)
    assert find_season(week + 0.5 * noise, (7,)) == 7
    assert find_season(week + 0.5 * noise) % 7 == 0


@pytest.mark.parametrize("count", [140, 200, 400, 1000])
def test_noise_does_not_move_a_day_to_the_hour_beside_it(count: int) -> None:
    day = 10 * np.sin(2 * np.pi * np.arange(count) / 24)
    noise = (np.random.default_rng(seed).standard_normal(count) for seed in range(20))
    found = [find_season(day + one, (24, 168)) for one in noise]
    assert found.count(24) >= 17


@pytest.mark.parametrize(
    ("rows", "season", "noise"),
    [(96, 24, 0.3), (144, 24, 0.5), (240, 24, 1.0), (1000, 24, 1.0), (60, 12, 0.4), (208, 52, 0.4)],
)
def test_a_season_of_the_calendar_is_found_under_noise_as_large_as_itself(
    rows: int, season: int, noise: float
) -> None:
    """Its changes from step to step are far smaller than those of the noise."""
    cycle = np.sin(2 * np.pi * np.arange(rows) / season)
    noises = (np.random.default_rng(seed).standard_normal(rows) for seed in range(20))
    candidates = {24: (24, 168)}.get(season, (season,))
    found = [find_season(cycle + noise * one, candidates) for one in noises]
    assert found.count(season) >= 18


@pytest.mark.parametrize("rows", [60, 96, 240, 1000])
def test_neither_noise_nor_a_random_walk_has_a_season_of_the_calendar(rows: int) -> None:
    noises = [np.random.default_rng(seed).standard_normal(rows) for seed in range(20)]
    series = [*noises, *(noise.cumsum() for noise in noises)]
    found = [find_season(values, (12, 24, 52)) for values in series]
    assert found.count(1) >= 39


@pytest.mark.parametrize("first", [0.0, 1.0, 1e-3])
def test_a_series_that_is_straight_but_for_its_first_row_has_no_season(first: float) -> None:
    for rest in (np.full(300, 7.3), 0.1 * np.arange(300), np.zeros(300)):
        assert find_season(np.concatenate([[first], rest]), (24, 168)) == 1


def test_a_short_day_of_much_noise_is_no_hour_beside_it() -> None:
    """With four days, a cycle of 23 or 25 hours fits as well as one of 24."""
    for cycle in (23, 25):
        day = np.sin(2 * np.pi * np.arange(1000) / cycle)
        noise = [np.random.default_rng(seed).standard_normal(1000) for seed in range(10)]
        assert [find_season(day[:96] + 0.3 * one[:96], (24, 168)) for one in noise].count(24) >= 9
        found = [find_season(day[:240] + 0.2 * one[:240], (24, 168)) for one in noise]
        assert found.count(cycle) >= 9


def test_tides_are_no_days() -> None:
    """Two a lunar day of 24.84 hours."""
    moon = 4 * np.pi * np.arange(1000) / 24.84
    for seed in range(5):
        noise = np.random.default_rng(seed).standard_normal(1000)
        assert find_season(10 * np.sin(moon) + 5 * np.sin(moon / 2) + noise, (24, 168)) == 25


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
    assert "the last 20 rows (20%) were set aside for test" in [note.why for note in notes]


def test_splits_by_numbers_of_rows_are_those_of_the_benchmarks() -> None:
    splits, _, notes = cut_in_time(
        {TRAIN: hours(17_420)}, BuiltinConfig(), (8640, 2880, 2880), context=336
    )
    assert [len(part) for part in splits.values()] == [8640, 2880 + 336, 2880 + 336]
    assert splits[TEST].values[-1, 0] == 14_399
    assert "3,020 rows are not used" in notes[0].why


def test_too_many_rows_asked_for_is_an_error() -> None:
    with pytest.raises(DataError, match=r"task.split_rows asks for 120 rows; the data has 100"):
        cut_in_time({TRAIN: hours(100)}, BuiltinConfig(), (100, 10, 10), context=3)


def test_only_the_newest_training_rows_are_kept() -> None:
    config = BuiltinConfig(max_samples=10)
    splits, _, _ = cut_in_time({TRAIN: hours(100)}, config, (), context=4)
    assert splits[TRAIN].values[:, 0].tolist() == list(range(60, 70))


def test_a_split_of_the_source_looks_back_only_where_it_continues() -> None:
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


def test_a_table_keeps_which_values_were_filled_in() -> None:
    filled = np.array([[False, True], [True, True], [True, False], [False, False], [True, True]])
    series = Series(np.arange(5) * HOUR, np.ones((5, 2)), Frequency("time", HOUR), filled=filled)
    table = series_table(series, Roles("when", ("y",), ("x",)), context=0)
    kept = split_series(table).filled
    assert kept is not None
    assert kept.tolist() == filled.tolist()


def test_a_split_looks_back_from_march_to_the_28th_of_february() -> None:
    days = [pd.Timestamp("2015-01-28") + pd.DateOffset(months=i) for i in range(60)]
    whole = read(days, [float(i) for i in range(60)])
    assert whole.times[37] == microseconds(["2018-02-28"])[0]
    config = BuiltinConfig(test_fraction=22 / 60, validation_fraction=0)
    splits, context, _ = cut_in_time({TRAIN: whole}, config, (), context=5)
    assert context == {TRAIN: 0, TEST: 5}
    assert splits[TEST].values[[0, 5], 0].tolist() == [33, 38]


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


def test_values_that_are_missing_in_other_words_are_filled_and_counted() -> None:
    table = pa.table({"time": HOURS[:4], "y": ["1,5", "n/a", "-", "4,5"]})
    series = read_series(table, find_roles(table))
    assert series.values[:, 0].tolist() == [1.5, 2.5, 3.5, 4.5]
    assert "y: 2 missing or infinite values (the first in row 2), filled (linear)" in [
        note.why for note in series.notes
    ]


def test_numbers_of_one_column_are_read_in_one_format() -> None:
    table = pa.table({"time": HOURS[:3], "y": ["4,84", "7.700", "1.234,5"]})
    series = read_series(table, find_roles(table))
    assert series.values[:, 0].tolist() == [4.84, 7700, 1234.5]


def test_whole_numbers_beyond_float64_are_inputs() -> None:
    table = pa.table(
        {"time": HOURS[:3], "big": [2**60 + 1, 2**60 + 3, 2**61], "y": [1.0, 2.0, 3.0]}
    )
    series = read_series(table, find_roles(table))
    assert series.values[:, 1].tolist() == [float(2**60), float(2**60), float(2**61)]


def test_a_batch_whose_truths_were_all_filled_in_weighs_more_than_nothing() -> None:
    rows = torch.arange(12.0)[:, None]
    source = WindowSource(
        rows, torch.arange(12), torch.zeros(12, 1, dtype=torch.bool),
        channels=1, targets=1, window=4, horizon=2,
    )  # fmt: skip
    assert all(0 < batch.weight < 1e-3 for batch in source.read(source.plan(2)))
