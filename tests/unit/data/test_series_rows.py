"""Tables with a series a row, against the same series with a row a step."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.data.series.series_rows import file_with_a_row_a_step, with_a_row_a_step
from engine.errors import DataError
from engine.pipelines.create import create_pipeline

STEPS = 60


def arranged(table: pa.Table) -> pa.Table:
    return file_with_a_row_a_step(table, ["time", "value"])


def value(series: int, step: int) -> float:
    return 100.0 * series + step


def rows(table: pa.Table, series: str) -> dict[tuple[Any, Any], Any]:
    return {(row[series], row["time"]): row["value"] for row in table.to_pylist()}


def wide(names: list[str], **ids: list[Any]) -> pa.Table:
    count = len(next(iter(ids.values())))
    columns = {
        name: [value(series, step) for series in range(count)] for step, name in enumerate(names)
    }
    return pa.table(ids | columns)


DAYS = [date(2020, 1, 25) + timedelta(days=step) for step in range(STEPS)]


@pytest.mark.parametrize("form", [
    "%d.%m.%y", "%Y-%m-%d", "%m/%d/%y", "%d/%m/%Y", "%d.%m.%Y", "%Y%m%d", "%Y-%m-%d %H:%M:%S",
])  # fmt: skip
def test_columns_called_after_dates_are_steps(form: str) -> None:
    table = wide([day.strftime(form) for day in DAYS], page=["a", "b"], lat=[1.5, 2.5])
    found = arranged(table)
    midnight = datetime(2020, 3, 1)
    assert rows(found, "page")["b", midnight] == value(1, DAYS.index(midnight.date()))
    assert (found.num_rows, found["lat"][0].as_py()) == (2 * STEPS, 1.5)


def test_years_of_the_world_bank_are_steps() -> None:
    table = wide([f"{year} [YR{year}]" for year in range(1990, 2020)], country=["A", "B"])
    assert rows(arranged(table), "country")["A", datetime(1993, 1, 1)] == value(0, 3)
    months = wide([f"{y}M{m:02}" for y in (2019, 2020) for m in range(1, 13)], country=["A"])
    assert rows(arranged(months), "country")["A", datetime(2020, 2, 1)] == value(0, 13)


@pytest.mark.parametrize("names", [
    [f"{month} {year}" for year in (2019, 2020) for month in ("Jan", "Feb", "Mär", "Apr", "Mai",
     "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez")],
    [f"{year}-W{week:02}" for year in (2019, 2020) for week in range(1, 53)],
    [f"{year}Q{quarter}" for year in range(2010, 2020) for quarter in (1, 2, 3, 4)],
    [f"{quarter}/{year}" for year in range(2010, 2020) for quarter in (1, 2, 3, 4)],
])  # fmt: skip
def test_all_months_weeks_and_quarters_are_steps(names: list[str]) -> None:
    found = arranged(wide(names, product=["a", "b"]))
    assert (found.column_names, found.num_rows) == (["product", "time", "value"], 2 * len(names))
    assert found["value"].to_pylist()[: len(names)] == [value(0, at) for at in range(len(names))]
    steps = np.diff(found["time"].to_numpy()[: len(names)].astype("M8[D]").astype(int))
    assert steps.max() <= 1.6 * steps.min()


def test_the_form_that_reads_most_columns_is_theirs() -> None:
    days = [date(2020, 1, 25) + timedelta(days=step) for step in range(19)]
    found = arranged(wide([day.strftime("%d/%m/%Y") for day in days], page=["a"]))
    assert [time.date() for time in found["time"].to_pylist()] == days


def test_texts_between_columns_of_numbers_are_read_or_named() -> None:
    names = [day.isoformat() for day in DAYS]
    table = wide(names, page=["a", "b", "c"])
    place = table.column_names.index(names[7])
    good = table.set_column(place, names[7], pa.array(["1,200", "-", "1,300"]))
    found = rows(arranged(good), "page")
    midnight = datetime.combine(DAYS[7], datetime.min.time())
    assert [found[page, midnight] for page in "abc"] == ["1,200", None, "1,300"]
    wrong = table.set_column(place, names[7], pa.array(["1", "err", "3"]))
    with pytest.raises(DataError, match=f"'{names[7]}' holds 'err' in row 2, which is not a"):
        arranged(wrong)


def test_sums_of_all_steps_are_no_static_column() -> None:
    table = wide([day.isoformat() for day in DAYS], id=["x", "y"], size=[3, 4])
    totals = [sum(list(row.values())[2:]) for row in table.to_pylist()]
    raw = with_a_row_a_step(RawData({"train": table.append_column("all", pa.array(totals))}))
    assert raw.train.column_names == ["id", "size", "time", "value"]
    assert "all is the sum of the columns of the row: not used" in [n.why for n in raw.notes]


def test_the_format_of_values_in_many_columns_can_be_set(tmp_path: Path) -> None:
    body = [f"{shop}," + ",".join(['"1,234"', '"2,345"'] * 20) for shop in "ab"]
    header = ",".join(["shop", *(day.isoformat() for day in DAYS[:40])])
    (tmp_path / "wide.csv").write_text("\n".join([header, *body]) + "\n")
    raw = pipeline(tmp_path / "wide.csv", value="numeric 1.234,5").load()
    assert raw.train["value"][0].as_py() == 1.234
    with pytest.raises(DataError, match="the data has no column 'valu'"):
        pipeline(tmp_path / "wide.csv", valu="numeric").load()
    (tmp_path / "long.csv").write_text("day,sales\n" + "".join(f"{day},1\n" for day in DAYS))
    with pytest.raises(DataError, match="the data has no column 'value'"):
        pipeline(tmp_path / "long.csv", value="numeric").load()


def test_numbered_columns_are_steps_where_texts_tell_the_rows_apart() -> None:
    names = [f"d_{step}" for step in range(1, STEPS + 1)]
    found = rows(arranged(wide(names, id=["x", "y"], store=["s", "s"])), "id")
    assert found["y", 5] == value(1, 4)
    past = arranged(wide(names[20:], id=["x"]))  # the last days of a later file
    assert past["time"].to_pylist() == list(range(21, STEPS + 1))


@pytest.mark.parametrize("table", [
    wide([f"V{step}" for step in range(1, 29)], Time=[0.0, 1.0], Class=[0, 1]),
    wide([f"V{step}" for step in range(1, 29)], name=["a", "a"]),
    wide([f"V{step}" for step in range(1, 29)], name=["a", "a"], day=["2024-01-01", "2024-01-02"]),
    wide([f"s{step}" for step in range(1, 12)], name=["a", "b"]),
    wide(["2019", "2020", "2021", "2022"], name=["a", "b"]),
    wide(["2020-01-31", "2019-01-31", "2020-02-01", "2020-02-02", "2020-03-01"], name=["a", "b"]),
    pa.table({"time": ["2020-01-01", "2020-01-02"], "target": [[1.0], [2.0]]}),
])  # fmt: skip
def test_other_tables_stay_as_they_are(table: pa.Table) -> None:
    assert arranged(table) is table
    raw = RawData({"train": table})
    assert with_a_row_a_step(raw) is raw


def gluonts(**more: Any) -> pa.Table:
    return pa.Table.from_pylist([
        {"item_id": f"T{n}", "start": "2020-01-01", "target": [value(n, s) for s in range(3 + n)],
         "feat_static_cat": [7, n], "feat_dynamic_real": [[s * 0.5 for s in range(5 + n)]]} | more
        for n in range(2)
    ])  # fmt: skip


def test_lists_of_gluonts_are_rows_with_what_goes_along() -> None:
    found = arranged(gluonts()).to_pylist()
    assert [row["time"] for row in found] == [1, 2, 3, 1, 2, 3, 4]
    assert found[5] == {
        "item_id": "T1", "time": 3, "feat_static_cat_1": "7", "feat_static_cat_2": "1",
        "feat_dynamic_real_1": 1.0, "value": value(1, 2),
    }  # fmt: skip
    note = with_a_row_a_step(RawData({"train": gluonts()})).notes[0]
    assert "their steps are counted" in note.why


def test_a_frequency_makes_dates_of_the_starts() -> None:
    found = rows(arranged(gluonts(freq="D")), "item_id")
    assert found["T1", datetime(2020, 1, 4)] == value(1, 3)


@pytest.mark.parametrize(("name", "second"), [
    ("H", "2020-01-31 01:00"), ("1h", "2020-01-31 01:00"), ("30T", "2020-01-31 00:30"),
    ("15min", "2020-01-31 00:15"), ("S", "2020-01-31 00:00:01"), ("D", "2020-02-01"),
    ("W-SUN", "2020-02-07"), ("M", "2020-02-29"), ("MS", "2020-02-29"), ("ME", "2020-02-29"),
    ("Q-DEC", "2020-04-30"), ("QE", "2020-04-30"), ("A-DEC", "2021-01-31"), ("Y", "2021-01-31"),
    ("B", "2020-02-03"), ("2D", "2020-02-02"), ("monthly", "2020-02-29"),
])  # fmt: skip
def test_frequencies_are_named_as_any_pandas_names_them(name: str, second: str) -> None:
    """The first value is at the start, in the middle of a period as well."""
    table = gluonts(freq=name, start="2020-01-31")
    times = arranged(table)["time"][:2].to_pylist()
    assert times == [datetime(2020, 1, 31), datetime.fromisoformat(second)]


def test_a_start_with_an_offset_is_the_time_of_its_clock() -> None:
    table = gluonts(freq="H", start="2020-01-01T00:00:00+02:00")
    assert arranged(table)["time"][0].as_py() == datetime(2020, 1, 1)


@pytest.mark.parametrize(("fields", "message"), [
    ({"freq": "bad"}, "row 1: freq is 'bad', which is not a step of time"),
    ({"freq": "0D"}, "row 1: freq is '0D'"),
    ({"freq": "D", "start": "soon"}, "row 1: the start is 'soon', which is not a date"),
    ({"freq": "D", "start": None}, "row 1: the start is nothing"),
])  # fmt: skip
def test_a_step_or_a_start_that_is_not_read_is_refused_by_its_row(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        arranged(gluonts(**fields))


def test_lists_of_times_are_those_of_the_values() -> None:
    times = [datetime(2020, 1, 1), datetime(2020, 1, 2)]
    table = pa.table({"id": ["a", "b"], "timestamp": [times, times], "target": [[1.0, 2.0]] * 2})
    assert rows(arranged(table), "id")["b", times[1]] == 2.0
    wrong = table.set_column(1, "timestamp", pa.array([times, times[:1]]))
    with pytest.raises(DataError, match="row 2: timestamp has 1 times, target 2 values"):
        arranged(wrong)


def test_series_without_names_are_numbered() -> None:
    table = pa.table({"target": [[1.0, 2.0], [3.0]]})
    assert arranged(table)["series"].to_pylist() == ["1", "1", "2"]


def pipeline(path: Path, **columns: str) -> Any:
    return create_pipeline(RunConfig.parse({
        "task": {"kind": "forecasting", "window": 8, "horizon": 2}, "model": {"kind": "dlinear"},
        "data": {"kind": "file", "path": str(path), "columns": columns},
    }))  # fmt: skip


def test_a_wide_file_is_learned_like_a_long_one(tmp_path: Path) -> None:
    table = wide([day.isoformat() for day in DAYS], page=["a", "b"])
    long = [{"page": r["page"], "time": r["time"].isoformat(), "value": r["value"]}
            for r in arranged(table).to_pylist()]  # fmt: skip
    header = ",".join(table.column_names)
    body = "\n".join(",".join(map(str, row.values())) for row in table.to_pylist())
    (tmp_path / "wide.csv").write_text(f"{header}\n{body}\n")
    (tmp_path / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in long))
    one, other = (pipeline(tmp_path / name).load() for name in ("wide.csv", "long.jsonl"))
    assert any("each row a series: 2 series" in note.why for note in one.notes)
    assert {n: t.to_pylist() for n, t in one.splits.items()} == {
        n: t.to_pylist() for n, t in other.splits.items()
    }
