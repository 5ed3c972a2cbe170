"""Times as offices and meters write them, against the same times as pandas has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.config.run_config import RunConfig
from engine.data.dates.writing import write_moment
from engine.data.readers.base import read_file
from engine.data.readers.reading import ReadOptions
from engine.errors import DataError
from engine.pipelines.create import create_pipeline
from engine.pipelines.series.fitted import frequency_of

Columns = dict[str, Any]
COUNT = 96
MONTHS = pd.date_range("2016-01-01", periods=COUNT, freq="MS")
HOURS = pd.date_range("2024-10-25", periods=COUNT, freq="h", tz="Europe/Berlin")
CLOCK = HOURS.tz_localize(None)
TURKISH = [
    "Ocak", "Şubat", "Mart", "Nisan", "Mayıs", "Haziran", "Temmuz", "Ağustos", "Eylül", "Ekim",
    "Kasım", "Aralık",
]  # fmt: skip
GERMAN = [
    "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
    "November", "Dezember",
]  # fmt: skip


def load(folder: Path, columns: Columns) -> tuple[Any, Any, Any]:
    """Return pipeline, data and what is fitted of a CSV file with a column ``v`` of values."""
    count = len(next(iter(columns.values())))
    values = np.round(20 + 5 * np.sin(np.arange(count) / 3), 2)
    pd.DataFrame(columns | {"v": values}).to_csv(folder / "some.csv", index=False)
    pipeline: Any = create_pipeline(RunConfig.parse({
        "task": {"kind": "forecasting", "window": 8, "horizon": 2}, "model": {"kind": "dlinear"},
        "data": {"kind": "file", "path": str(folder / "some.csv"), "test_fraction": 0,
                 "validation_fraction": 0},
    }))  # fmt: skip
    raw = pipeline.load()
    return pipeline, raw, pipeline.fit(raw)


def times(folder: Path, columns: Columns) -> pd.DatetimeIndex:
    """Return the times of the training rows as the data has them."""
    _, raw, fitted = load(folder, columns)
    return pd.DatetimeIndex(raw.train[fitted.time].cast("int64").to_numpy().astype("M8[us]"))


def notes(folder: Path, columns: Columns) -> list[str]:
    return [note.why for note in load(folder, columns)[1].notes]


@pytest.mark.parametrize("form", ["{q}/{y}", "{y}-{q}"])
def test_quarters_without_a_letter_are_told_from_months_by_their_steps(
    tmp_path: Path, form: str
) -> None:
    quarters = pd.period_range("1990Q1", periods=40, freq="Q")
    found = times(tmp_path, {"t": [form.format(q=p.quarter, y=p.year) for p in quarters]})
    assert found.equals(quarters.to_timestamp().as_unit("us"))
    months = {"t": [form.format(q=m.month, y=m.year) for m in MONTHS]}
    assert times(tmp_path, months).equals(MONTHS.as_unit("us"))


@pytest.mark.parametrize("columns", [
    {"month": [f"{TURKISH[m.month - 1]} {m.year}" for m in MONTHS]},
    {"Jahr": MONTHS.year, "Monat": [GERMAN[m.month - 1] for m in MONTHS]},
    {"año": MONTHS.year, "mes": MONTHS.month},
], ids=["one column of Turkish names", "German names", "Spanish numbers"])  # fmt: skip
def test_months_are_read_in_the_languages_of_their_columns(
    tmp_path: Path, columns: Columns
) -> None:
    assert times(tmp_path, columns).equals(MONTHS.as_unit("us"))


def test_a_date_and_a_time_of_day_have_names_of_other_languages(tmp_path: Path) -> None:
    hours = pd.date_range("2024-01-20", periods=COUNT, freq="h")
    columns: Columns = {"Datum": hours.strftime("%d.%m.%Y"), "Uhrzeit": hours.strftime("%H:%M")}
    assert times(tmp_path, columns).equals(hours.as_unit("us"))
    columns["Uhrzeit"] = [f"{hour + 1:02}:00" for hour in hours.hour]  # up to 24:00, so texts
    assert times(tmp_path, columns).equals((hours + pd.Timedelta("1h")).as_unit("us"))


@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%m/%d/%Y %I:%M %p"])
def test_names_of_zones_keep_the_hour_that_comes_twice(tmp_path: Path, form: str) -> None:
    berlin = times(tmp_path, {"t": HOURS.strftime(form + " %Z")})
    assert berlin.equals(HOURS.tz_convert("UTC").tz_localize(None).as_unit("us"))


def test_a_zone_of_several_meanings_is_not_guessed(tmp_path: Path) -> None:
    found = notes(tmp_path, {"t": CLOCK.strftime("%Y-%m-%d %H:%M:%S CST")})
    assert any("t holds no dates that can be read, such as '2024-10-25 00:00:00 CST'" in why
               for why in found)  # fmt: skip


@pytest.mark.parametrize("form", ["%d.%m.%Y {h:02}:00", "%Y-%m-%d {h:02}:00:00"])
def test_24_00_is_the_beginning_of_the_next_day(tmp_path: Path, form: str) -> None:
    begins = pd.date_range("2024-01-20", periods=COUNT, freq="h")
    texts = [time.strftime(form).format(h=time.hour + 1) for time in begins]
    assert times(tmp_path, {"t": texts}).equals((begins + pd.Timedelta("1h")).as_unit("us"))
    first_is_24 = ["19.01.2024 24:00", *begins[1:].strftime("%d.%m.%Y %H:%M")]
    assert times(tmp_path, {"t": first_is_24}).equals(begins.as_unit("us"))
    assert load(tmp_path, {"t": first_is_24})[2].spelling == "%d.%m.%Y %H:%M"


def test_the_24th_minute_is_one_of_its_hour(tmp_path: Path) -> None:
    minutes = pd.date_range("2024-01-20 23:24", periods=COUNT, freq="h")
    found = times(tmp_path, {"t": minutes.strftime("%d.%m.%Y %H:%M:%S")})
    assert found.equals(minutes.as_unit("us"))


def test_days_as_excel_counts_them_are_dates_and_written_again(tmp_path: Path) -> None:
    ends = pd.date_range("2016-01-31", periods=COUNT, freq="ME")
    numbers = (ends - pd.Timestamp("1899-12-30")).days
    pipeline, raw, fitted = load(tmp_path, {"Date": numbers})
    assert frequency_of(fitted).name == "1 month"
    assert pipeline.shown(raw.train)["Date"].to_pylist() == [*map(str, numbers)]
    assert write_moment(int(raw.train["Date"].cast("int64")[0].as_py()), fitted.writing) == 42400
    counted = load(tmp_path, {"step": np.arange(42400, 42400 + COUNT)})[2]
    assert counted.unit == "number"


@pytest.mark.parametrize(("name", "numbers", "unit"), [
    ("ts", CLOCK.astype("M8[ms]").astype(np.int64), 1_000),
    ("timestamp", CLOCK.astype("M8[s]").astype(np.int64), 1_000_000),
])  # fmt: skip
def test_moments_of_a_named_column_need_neither_order_nor_a_regular_step(
    tmp_path: Path, name: str, numbers: Any, unit: int
) -> None:
    late = numbers + np.arange(COUNT) ** 2 % 1000 * (1_000_000 // unit)
    found = times(tmp_path, {name: late})
    assert found.equals(pd.DatetimeIndex((late * unit).astype("M8[us]")))
    columns = {"sensor": ["a"] * 48 + ["b"] * 48, name: np.tile(np.unique(numbers)[:48], 2)}
    _, raw, fitted = load(tmp_path, columns)
    assert (fitted.time, fitted.series, raw.train.num_rows) == (name, ("sensor",), COUNT)


@pytest.mark.parametrize(("name", "numbers"), [
    ("visits_per_day", 40_000 + np.arange(COUNT) * 37 % 5000),
    ("candidate", 45_000 + np.arange(COUNT) * 37 % 5000),
    ("lifetime_value", 1_500_000_000 + np.arange(COUNT) * 7919 % 100_000),
])  # fmt: skip
def test_amounts_are_no_times_by_a_part_of_their_name(
    tmp_path: Path, name: str, numbers: Any
) -> None:
    fitted = load(tmp_path, {name: numbers})[2]
    assert (fitted.time, fitted.inputs) == ("", [name])


@pytest.mark.parametrize(("name", "form"), [("date", "%Y%m%d"), ("yyyymm", "%Y%m")])
def test_dates_as_numbers_start_again_with_each_series(
    tmp_path: Path, name: str, form: str
) -> None:
    step = "D" if name == "date" else "MS"
    dates = pd.date_range("2019-12-01", periods=48, freq=step)
    numbers = np.tile(dates.strftime(form).astype(int), 2)
    _, raw, fitted = load(tmp_path, {"shop": ["a"] * 48 + ["b"] * 48, name: numbers})
    assert fitted.series == ("shop",)
    found = raw.train[name].cast("int64").to_numpy().astype("M8[us]")
    assert pd.DatetimeIndex(found[:48]).equals(dates.as_unit("us"))


def test_moments_with_fractions_are_named_as_not_read(tmp_path: Path) -> None:
    found = notes(tmp_path, {"ts": 1704067200 + np.arange(COUNT) * 60 + 0.25})
    assert any("ts holds no dates that can be read, such as '1704067200.25'" in w for w in found)
    assert not any("is it the time?" in why for why in found)


def test_series_without_a_time_are_not_joined_without_a_word(tmp_path: Path) -> None:
    found = notes(tmp_path, {"sensor": ["a"] * 48 + ["b"] * 48})
    assert any("sensor may tell several series apart, but no column has the time" in why
               for why in found)  # fmt: skip


def test_years_are_no_series_of_periods(tmp_path: Path) -> None:
    years = np.repeat(np.arange(2016, 2024), 13)
    with pytest.raises(DataError, match="'period' begins again in each 'fiscal_year'") as error:
        load(tmp_path, {"fiscal_year": years, "period": np.tile(np.arange(1, 14), 8)})
    assert "task.series='[\"fiscal_year\"]'" in error.value.hint


@pytest.mark.parametrize("form", ["%m.%Y", "%Y.%m"])
def test_months_with_a_dot_are_no_fractions(tmp_path: Path, form: str) -> None:
    texts = MONTHS.strftime(form)
    assert times(tmp_path, {"period": texts}).equals(MONTHS.as_unit("us"))
    path = tmp_path / "comma.csv"  # numbers with a comma beside it
    path.write_text("Monat;v\n" + "".join(f"{text};{n},5\n" for n, text in enumerate(texts)))
    table = read_file(path, ReadOptions()).table
    assert table["v"].to_pylist()[:2] == [0.5, 1.5]
    measured = "".join(f"2015.{n:02}\n" for n in range(3, 20))
    path.write_text("v\n" + measured)
    assert read_file(path, ReadOptions()).table["v"][0].as_py() == 2015.03


def test_years_of_a_floating_type_are_the_time(tmp_path: Path) -> None:
    fitted = load(tmp_path, {"Year": np.arange(1950.0, 2020)})[2]
    assert (fitted.time, fitted.inputs) == ("Year", [])


def test_the_date_of_an_export_is_not_the_time(tmp_path: Path) -> None:
    columns = {"updated_at": ["2024-06-01"] * COUNT, "date": MONTHS.strftime("%Y-%m-%d")}
    assert times(tmp_path, columns).equals(MONTHS.as_unit("us"))
