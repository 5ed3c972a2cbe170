"""Columns of a table as those of series, by the settings of task and data."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.config.data.file import FileConfig
from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.series.frequency import DAY
from engine.errors import DataError
from engine.pipelines.series.reader import SeriesReader

START = datetime(2024, 1, 1)


def reader(data: dict[str, Any] | None = None, **task: Any) -> SeriesReader:
    return SeriesReader(ForecastingConfig(**task), FileConfig(**(data or {})))


def days(count: int) -> list[datetime]:
    return [START + timedelta(days=n) for n in range(count)]


def shops(count: int = 6, names: str = "ab") -> pa.Table:
    """Days of shops, of which each has a region and a size."""
    rows = [(day, name) for name in names for day in days(count)]
    return pa.table({
        "day": [day for day, _ in rows],
        "shop": [name for _, name in rows],
        "region": ["north" if name in "ac" else "south" for _, name in rows],
        "size": [float(ord(name)) for _, name in rows],
        "load": [float(place % 5) for place in range(len(rows))],
    })  # fmt: skip


def test_time_target_and_inputs_of_one_series_are_found() -> None:
    table = pa.table({"day": days(5), "wind": [1.0, 2, 3, 2, 1], "load": [5.0, 4, 3, 4, 5],
                      "note": list("abcde")})  # fmt: skip
    roles = reader().roles(table)
    assert (roles.time, roles.targets, roles.inputs) == ("day", ("load",), ("wind",))
    assert (roles.series, roles.static) == ((), ())


def test_repeated_times_are_those_of_series_with_their_static_columns() -> None:
    roles = reader().roles(shops(names="abcd"))
    assert roles.series == ("shop",)
    assert {*roles.static} == {"region", "size"}
    assert (roles.targets, roles.inputs) == (("load",), ())


def test_columns_that_are_set_keep_their_roles() -> None:
    table = shops(names="abcd")
    roles = reader(targets=("size",), inputs=("load",)).roles(table)
    assert (roles.targets, roles.inputs) == (("size",), ("load",))
    assert roles.static == ("region",)
    assert reader(static=("size",)).roles(table).static == ("size",)
    assert reader(series=("region", "shop")).roles(table).series == ("region", "shop")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"series": ("shop",)}, r"task\.series needs a column with the time"),
        ({"static": ("size",)}, r"task\.static needs columns that tell series apart"),
        ({"targets": ("lod",)}, r"The data has no column 'lod' \(task\.targets\)"),
        ({"targets": ("load",), "known_future": ("load",)}, "'load' is in task.known_future and"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(task: dict[str, Any], said: str) -> None:
    table = shops().drop_columns(["day"])
    with pytest.raises(DataError, match=said):
        reader(**task).roles(table)


def test_the_series_of_the_training_rows_is_in_order_with_its_step() -> None:
    values = [4.0, 1.0, 3.0, 2.0]
    table = pa.table({"day": [days(4)[n] for n in (3, 0, 2, 1)], "load": values})
    own = reader()
    series = own.training_series(table, own.roles(table))
    assert series.values[:, 0].tolist() == [1, 2, 3, 4]
    assert np.diff(series.times).tolist() == [DAY] * 3
    assert (series.frequency.name, series.filled) == ("1 day", None)


@pytest.mark.parametrize(
    ("fill", "values"), [("linear", [1.0, 2.0, 3.0, 5.0]), ("previous", [1.0, 1.0, 3.0, 5.0])]
)
def test_gaps_are_filled_as_it_is_set_and_marked(fill: str, values: list[float]) -> None:
    table = pa.table({"day": days(4), "load": [1.0, None, 3.0, 5.0]})
    own = reader(fill=fill)
    series = own.training_series(table, own.roles(table))
    assert series.values[:, 0].tolist() == values
    assert series.filled is not None
    assert series.filled[:, 0].tolist() == [False, True, False, False]
    with pytest.raises(DataError):
        reader(fill="refuse").training_series(table, own.roles(table))


@pytest.mark.parametrize(
    ("cells", "setting", "values"),
    [
        (["1,5", "2,5", "10,25", "3"], {}, [1.5, 2.5, 10.25, 3.0]),
        (["1.500", "2.500", "4.250", "3"], {}, [1.5, 2.5, 4.25, 3.0]),
        (["1.500", "2.500", "4.250", "3"], {"load": "numeric 1.234,5"}, [1500, 2500, 4250, 3]),
    ],
)
def test_numbers_in_texts_are_read_as_they_are_written_or_set(
    cells: list[str], setting: dict[str, str], values: list[float]
) -> None:
    table = pa.table({"day": days(4), "load": cells})
    own = reader({"columns": setting})
    series = own.training_series(table, own.roles(table))
    assert series.values[:, 0].tolist() == values


@pytest.mark.parametrize(
    ("setting", "second"), [("%d/%m/%Y", "2024-02-01"), ("%m/%d/%Y", "2024-01-02")]
)
def test_the_order_of_day_and_month_is_that_which_is_set(setting: str, second: str) -> None:
    table = pa.table({"day": ["01/01/2024", "01/02/2024", "01/03/2024"], "load": [1.0, 2.0, 3.0]})
    own = reader({"columns": {"day": f"date {setting}"}}, time="day")
    roles = own.roles(table)
    assert own.spelling(roles) == setting
    times = own.times(table, roles).astype("M8[us]").astype("M8[D]")
    assert str(times[1]) == second


def test_a_later_table_is_read_with_the_step_and_format_of_training() -> None:
    own = reader()
    train = pa.table({"day": days(6), "load": ["1,5", "2,5", "3,5", "4,5", "5,5", "10,25"]})
    roles = own.roles(train)
    series = own.training_series(train, roles)
    later = pa.table({"day": days(3)[::2], "load": ["1,500", "2,500"]})
    read = own.read(later, roles, series.frequency, series.spelling, series.formats)
    assert read.values[:, 0].tolist() == [1.5, 2.0, 2.5]  # a day is filled in
    with pytest.raises(DataError, match=r"The data has no column 'load'"):
        own.read(later.drop_columns(["load"]), roles, series.frequency, "", {})
