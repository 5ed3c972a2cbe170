"""Tables with a day a row and a column for each hour, against the same hours with a row each."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.data.readers.base import read_file
from engine.data.readers.reading import ReadOptions
from engine.data.series.series_rows import file_with_a_row_a_step, with_a_row_a_step
from engine.errors import DataError
from engine.pipelines.create import create_pipeline

DAYS = [date(2024, 10, 10) + timedelta(days=n) for n in range(30)]
COUNTED = [f"h{n}" for n in range(1, 25)]
Cells = dict[str, list[Any]]


def value(day: int, minute: int) -> float:
    return day + (minute * 7 % 1440) / 1000


def wide(names: list[str], **more: list[Any]) -> pa.Table:
    """Return a row a day; the columns ``names`` follow one another from midnight on."""
    step = 1440 // len(names)
    cells = {n: [value(d, at * step) for d in range(30)] for at, n in enumerate(names)}
    return pa.table({"date": [day.isoformat() for day in DAYS]} | cells | more)


def arranged(table: pa.Table, **settings: Any) -> tuple[pa.Table, list[str]]:
    raw = with_a_row_a_step(RawData({"train": table}), **settings)
    return raw.train, [note.why for note in raw.notes]


@pytest.mark.parametrize("names", [
    COUNTED, [f"H{n:02}" for n in range(1, 25)], [f"Hour {n}" for n in range(1, 25)],
    [f"hour_{n}" for n in range(24)], [f"HE{n:02}" for n in range(1, 25)],
    [f"{n:02}:00" for n in range(24)], [f"{n}:00:00" for n in range(24)],
    [f"{n:02} - {n + 1:02}" for n in range(24)], [f"kWh {n:02}:00" for n in range(24)],
    [f"{n // 2:02}:{n % 2 * 30:02}" for n in range(48)], [f"hh_{n}" for n in range(48)],
    [f"{n // 4:02}:{n % 4 * 15:02}" for n in range(96)],
    [f"{n // 4:02}{n % 4 * 15:02}" for n in range(96)],
    [f"{n // 4:02}:{n % 4 * 15:02}" for n in range(1, 97)],
    [f"{n // 2 % 24:02}:{n % 2 * 30:02}" for n in range(1, 49)],
    ["12 am", *(f"{n} am" for n in range(1, 12)), "12 pm", *(f"{n} pm" for n in range(1, 12))],
])  # fmt: skip
def test_columns_called_after_hours_are_rows_at_their_time(names: list[str]) -> None:
    found, notes = arranged(wide(names))
    rows = found.to_pylist()
    times = [60 * row["hour"] + row.get("minute", 0) for row in rows]
    step = 1440 // len(names)
    assert times == [*range(0, 1440, step)] * 30
    assert [row["value"] for row in rows] == [
        value(day, minute) for day in range(30) for minute in range(0, 1440, step)
    ]
    assert rows[-1]["date"] == DAYS[-1].isoformat()
    assert f"30 rows of a day are {len(rows):,} rows, 0 of them empty" in notes[0]


def test_the_note_says_whether_a_column_begins_or_ends_at_its_name() -> None:
    assert "h1 the hour that begins at 00:00" in arranged(wide(COUNTED))[1][0]
    ends = wide([f"{n // 4:02}:{n % 4 * 15:02}" for n in range(1, 97)])
    assert "00:15 the quarter of an hour that ends at 00:15" in arranged(ends)[1][0]


def test_empty_cells_are_counted_and_stay_empty() -> None:
    table = wide(COUNTED)
    place = table.column_names.index("h3")
    table = table.set_column(place, "h3", pa.array([None, *table["h3"].to_pylist()[1:]]))
    found, notes = arranged(table)
    assert found["value"][2].as_py() is None
    assert "720 rows, 1 of them empty" in notes[0]


def test_an_hour_that_comes_twice_has_a_second_row_on_its_day_alone() -> None:
    second = [99.0 if day == date(2024, 10, 27) else None for day in DAYS]
    found, notes = arranged(wide(COUNTED, h3b=second))
    rows = [row for row in found.to_pylist() if row["date"] == "2024-10-27"]
    assert [row["hour"] for row in rows] == [0, 1, 2, *range(2, 24)]
    assert (rows[3]["value"], found.num_rows) == (99.0, 721)
    assert "h3b is the second time from 02:00 on, with a value in 1 row" in notes


def test_values_of_a_25th_hour_are_refused_and_an_empty_one_is_noted() -> None:
    filled = [5.0 if day == date(2024, 10, 27) else None for day in DAYS]
    with pytest.raises(DataError, match=r"'h25' .* 1 row .*row 18.* clocks were set back"):
        arranged(wide(COUNTED, h25=filled))
    empty = pa.array([None] * 30, pa.float64())
    found, notes = arranged(wide(COUNTED, h25=empty))
    assert (found.num_rows, "h25" in found.column_names) == (720, False)
    assert any("empty: h25" in why for why in notes)


@pytest.mark.parametrize(("table", "why"), [
    (wide([f"h{n}" for n in range(25)]), "they are not those of a whole day"),
    (wide([f"hh{n}" for n in range(1, 25)]), "they are not those of a whole day"),
    (wide([f"h{n}" for n in range(1, 24)]), "they are not those of a whole day"),
    (wide([f"{n:02}:00" for n in range(8, 20)]), "they are not those of a whole day"),
    (wide([str(n) for n in range(1, 25)]), "call them h1 and so on if they are hours"),
    (wide(COUNTED, hour=[1] * 30), "there is a column 'hour' too"),
    (wide(COUNTED, read=["2024-12-01"] * 30), "date and read both have dates"),
    (wide(COUNTED).drop_columns(["date"]), "no column has dates"),
    (wide([*COUNTED, *(f"{n:02}:00" for n in range(24))]), "both seem to begin a day"),
])  # fmt: skip
def test_names_that_are_not_clear_stay_columns_with_a_note(table: pa.Table, why: str) -> None:
    found, notes = arranged(table)
    assert found is table
    assert len(notes) == 1
    assert why in notes[0]


def test_too_few_rows_are_explained_by_columns_that_may_be_hours(tmp_path: Path) -> None:
    table = wide([f"{n:02}:00" for n in range(8, 20)])
    lines = [",".join(map(str, row.values())) for row in table.to_pylist()]
    path = tmp_path / "meter.csv"
    path.write_text("\n".join([",".join(table.column_names), *lines]) + "\n")
    pipeline: Any = create_pipeline(RunConfig.parse({
        "task": {"kind": "forecasting", "window": 48, "horizon": 24}, "model": {"kind": "dlinear"},
        "data": {"kind": "file", "path": str(path)},
    }))  # fmt: skip
    with pytest.raises(DataError, match="rows are too few") as error:
        pipeline.load()
    assert "12 columns from 08:00 to 19:00 may be hours of the day" in error.value.hint


def test_words_of_another_meaning_are_no_hours() -> None:
    for word in ("std", "time", "V", "lag_h", "load_lag_h", "forecast_h"):
        table = wide([f"{word}_{n}" for n in range(24)])
        assert arranged(table) == (table, [])


LOAD, TEMPERATURE = ([f"{of}{n}" for n in range(1, 25)] for of in ("Load_H", "temp_H"))


def test_two_values_with_columns_of_the_same_hours_are_two_columns() -> None:
    found, notes = arranged(wide([*LOAD, *TEMPERATURE]))
    assert found.column_names == ["date", "hour", "Load", "temp"]
    assert found["hour"].to_pylist() == [*range(24)] * 30
    # `wide` gives the columns the minutes of 48 half hours, one after the other.
    for name, first in (("Load", 0), ("temp", 720)):
        assert found[name].to_pylist() == [
            value(day, first + 30 * hour) for day in range(30) for hour in range(24)
        ]
    assert [why.split(", ")[0] for why in notes] == [
        "24 columns from Load_H1 to Load_H24 are the times of a day of Load",
        "24 columns from temp_H1 to temp_H24 are the times of a day of temp",
    ]


def test_columns_of_one_value_may_begin_with_its_name() -> None:
    found, notes = arranged(wide(LOAD))
    assert (found.column_names, found.num_rows) == (["date", "hour", "value"], 720)
    assert "24 columns from Load_H1 to Load_H24 are the times of a day, Load_H1" in notes[0]
    # A later file has the hours of both values, or of one of them.
    later = wide([*LOAD, *TEMPERATURE])
    assert file_with_a_row_a_step(later, ["date", "Load", "temp"]).num_rows == 720
    one = file_with_a_row_a_step(wide(LOAD), ["date", "hour", "Load", "temp"])
    assert one.column_names == ["date", "hour", "Load"]


def test_a_second_hour_of_both_values_is_one_row() -> None:
    second: list[Any] = [9.0 if day == date(2024, 10, 27) else None for day in DAYS]
    more = {"Load_H3b": second, "temp_H3b": pa.nulls(30, pa.float64())}
    found, _ = arranged(wide([*LOAD, *TEMPERATURE], **more))
    rows = [row for row in found.to_pylist() if row["date"] == "2024-10-27"]
    assert (len(rows), found.num_rows) == (25, 721)
    assert (rows[3]["hour"], rows[3]["Load"], rows[3]["temp"]) == (2, 9.0, None)


@pytest.mark.parametrize(("table", "why"), [
    (wide([*LOAD, *(f"temp {n:02}:00" for n in range(0, 24, 2))]), "both seem to begin a day"),
    (wide([*LOAD, *COUNTED]), "both seem to begin a day"),
    (wide([*LOAD, *TEMPERATURE], temp=[1] * 30), "there is a column 'temp' too"),
    (wide(LOAD).set_column(0, "date", pa.array([f"{day} {day.day % 24}:00" for day in DAYS])),
     "date has times of day itself"),
])  # fmt: skip
def test_columns_of_several_values_that_are_not_clear_stay_columns(
    table: pa.Table, why: str
) -> None:
    found, notes = arranged(table)
    assert found is table
    assert len(notes) == 1
    assert why in notes[0]


def test_sums_of_a_day_of_either_value_are_left_out() -> None:
    table = wide([*LOAD, *TEMPERATURE])
    sums = [sum(row[name] for name in TEMPERATURE) for row in table.to_pylist()]
    found, notes = arranged(wide([*LOAD, *TEMPERATURE], heat=sums))
    assert "heat" not in found.column_names
    assert "heat is the sum of the columns of the day: not used" in notes


def test_columns_that_are_named_in_the_settings_stay_columns() -> None:
    table = wide(COUNTED)
    assert arranged(table, named=["h24"]) == (table, [])
    two = wide(COUNTED, read=["2024-12-01"] * 30)
    assert arranged(two, time="date")[0].num_rows == 720


def test_a_file_to_predict_from_that_has_the_columns_of_training_stays_as_it_is() -> None:
    table = wide(COUNTED)
    assert file_with_a_row_a_step(table, ["date", "h24"]) is table
    assert file_with_a_row_a_step(table, ["date", "hour", "value"]).num_rows == 720


def test_sums_of_a_day_are_not_shown_to_its_first_hours() -> None:
    table = wide(COUNTED)
    hours = [list(row.values())[1:] for row in table.to_pylist()]
    total, peak = [sum(row) for row in hours], [max(row) for row in hours]
    found, notes = arranged(wide(COUNTED, total=total, peak=peak, temperature=[5, 7] * 15))
    assert found.column_names == ["date", "temperature", "hour", "value"]
    assert "total is the sum of the columns of the day: not used" in notes
    assert "peak is the maximum of the columns of the day: not used" in notes


def test_texts_of_numbers_keep_their_form_and_others_are_named_by_their_row() -> None:
    texts = {n: [f"{1000 + d:,}.5" for d in range(30)] for n in COUNTED[:5]}
    table = wide(COUNTED)
    for name, cells in texts.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(cells))
    assert arranged(table)[0]["value"][:2].to_pylist() == ["1,000.5", "1,000.5"]
    wrong = table.set_column(7, "h7", pa.array(["off", *map(str, range(29))]))
    with pytest.raises(DataError, match="'h7' holds 'off' in row 1, which is not a number"):
        arranged(wrong)


def test_a_row_without_a_date_is_named_by_its_number_in_the_file() -> None:
    table = wide(COUNTED)
    dates = [*table["date"].to_pylist()[:-1], "Total"]
    with pytest.raises(DataError, match="'date' holds 'Total' in row 30, which is not a date"):
        arranged(table.set_column(0, "date", pa.array(dates)))


def test_numbers_behind_a_name_are_a_header(tmp_path: Path) -> None:
    table = wide([f"{n // 4:02}{n % 4 * 15:02}" for n in range(96)])
    lines = [",".join(map(str, row.values())) for row in table.to_pylist()]
    path = tmp_path / "meter.csv"
    path.write_text("\n".join([",".join(table.column_names), *lines]) + "\n")
    assert read_file(path, ReadOptions()).table.column_names == table.column_names
    counts = ",".join(map(str, range(1, 25)))
    path.write_text("".join(f"{day},{counts}\n" for day in DAYS))  # a row of values counts as well
    assert read_file(path, ReadOptions()).table.num_rows == 30


def test_one_value_of_two_is_forecast_and_the_other_is_known_ahead(tmp_path: Path) -> None:
    table = wide([*LOAD, *TEMPERATURE])
    lines = [",".join(map(str, row.values())) for row in table.to_pylist()]
    (tmp_path / "meters.csv").write_text("\n".join([",".join(table.column_names), *lines]) + "\n")
    task = {"kind": "forecasting", "window": 48, "horizon": 24}
    source = {"kind": "file", "path": str(tmp_path / "meters.csv")}

    def roles(**fields: Any) -> list[str]:
        config = {"task": task | fields, "data": source, "model": {"kind": "dlinear"}}
        pipeline: Any = create_pipeline(RunConfig.parse(config))
        raw = pipeline.load()
        columns = pipeline.summarize(raw, pipeline.fit(raw)).columns
        return [f"{column.name}: {column.role}" for column in columns]

    assert roles() == ["date hour: time", "Load: target", "temp: input"]
    known = roles(targets=["Load"], known_future=["temp"])
    assert known == ["date hour: time", "Load: target", "temp: known ahead"]
    assert roles(targets=["temp"]) == ["date hour: time", "temp: target", "Load: input"]


def test_meters_are_learned_as_hourly_series(tmp_path: Path) -> None:
    lines = [",".join(["meter", "date", *COUNTED])]
    for row in wide(COUNTED).to_pylist():
        lines += [f"{meter}," + ",".join(map(str, row.values())) for meter in ("007", "A")]
    (tmp_path / "meters.csv").write_text("\n".join(lines) + "\n")
    pipeline: Any = create_pipeline(RunConfig.parse({
        "task": {"kind": "forecasting", "window": 48, "horizon": 24}, "model": {"kind": "dlinear"},
        "data": {"kind": "file", "path": str(tmp_path / "meters.csv")},
    }))  # fmt: skip
    raw = pipeline.load()
    facts = pipeline.summarize(raw, pipeline.fit(raw)).facts
    assert (facts["frequency"], facts["from"], facts["to"]) == (
        "1 hour", "2024-10-10 00:00", "2024-11-08 23:00",
    )  # fmt: skip
    first = pipeline.shown(raw.train).slice(0, 2).to_pylist()
    assert [(row["meter"], row["value"]) for row in first] == [
        ("007", value(0, 0)), ("007", value(0, 60)),
    ]  # fmt: skip
