"""A few times that repeat: perhaps the rows of several series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engine.data.series.roles import find_roles
from engine.data.series.several import suspect_series
from engine.pipelines.series.notes import repeat_notes


def sales(beside: str, values: tuple[Any, Any], both: int = 12) -> pa.Table:
    """Sales of 400 days, and ``both`` more rows of the same days with another value."""
    days, noise = pd.date_range("2023-01-01", periods=400), np.random.default_rng(0)
    frames = [
        pd.DataFrame({"day": some, beside: value, "sales": noise.normal(size=len(some))})
        for some, value in zip((days, days[300 : 300 + both]), values, strict=True)
    ]
    frame = pd.concat(frames).sort_values("day", kind="stable")
    return pa.Table.from_pandas(frame, preserve_index=False)


def times_of(table: pa.Table) -> Any:
    return table["day"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()


def test_a_column_that_differs_where_times_repeat_is_asked_about() -> None:
    table = sales("colour", ("red", "blue"))
    roles = find_roles(table, targets=["sales"])
    [note] = repeat_notes(table, roles, times_of(table))
    assert note.column == "colour"
    assert note.change == 'task.series=["colour"]'


@pytest.mark.parametrize(
    "table",
    [
        lambda: sales("colour", ("red", "red")),
        lambda: sales("colour", ("red", "blue"), both=0),
        lambda: sales("colour", ("red", "blue"), both=1),
        lambda: sales("temperature", (20.5, 21.5)),
    ],
    ids=["the same value", "no time repeats", "a value of one row", "measured numbers"],
)
def test_nothing_is_asked_where_no_column_tells_the_rows_apart(
    table: Callable[[], pa.Table],
) -> None:
    made = table()
    roles = find_roles(made, targets=["sales"])
    assert suspect_series(made, roles, times_of(made)) == ""


def test_rows_that_are_there_twice_ask_nothing() -> None:
    table = sales("colour", ("red", "blue"), both=0)
    whole = pa.concat_tables([table, table.slice(300, 12)]).sort_by("day")
    roles = find_roles(whole, targets=["sales"])
    assert suspect_series(whole, roles, times_of(whole)) == ""


def test_a_column_that_is_the_same_in_some_rows_of_one_time_is_not_asked_about() -> None:
    table = sales("colour", ("red", "blue"))
    colours = ["blue" if i % 7 == 0 else name for i, name in enumerate(table["colour"].to_pylist())]
    mixed = table.set_column(1, "colour", pa.array(colours))
    roles = find_roles(mixed, targets=["sales"])
    assert suspect_series(mixed, roles, times_of(mixed)) == ""
