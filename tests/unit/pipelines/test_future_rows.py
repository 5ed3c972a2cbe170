"""Rows of the future of one and of many series, by a state that is written by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.series.frequency import DAY, Frequency
from engine.data.series.panel import Panel
from engine.data.series.read import Series
from engine.errors import DataError
from engine.pipelines.series.fitted import SeriesFitted
from engine.pipelines.series.known_future import (
    ahead_of_panel,
    ahead_of_series,
    join_future,
    past_rows,
)

START = datetime(2024, 2, 27)
DAILY = Frequency("time", DAY)


def day(number: int) -> datetime:
    """A day from 27 February of a leap year on."""
    return START + timedelta(days=number)


def micros(number: int) -> int:
    return int(np.datetime64(day(number), "us").astype(np.int64))


def fitted(**changes: Any) -> SeriesFitted:
    """A state of daily sales whose price is known ahead."""
    state: dict[str, Any] = {
        "time": "day", "targets": ["sales"], "inputs": [], "known": ["price"],
        "mean": [0.0, 0.0], "std": [1.0, 1.0], "unit": "time", "step": DAY, "regular": True,
        "season": 7, "naive_error": [1.0],
    }  # fmt: skip
    return SeriesFitted(**state | changes)


def table(days: list[int], sales: list[Any] | None = None, **columns: list[Any]) -> pa.Table:
    """Rows of some days; a price is ten and the number of the day unless it is given."""
    rows: dict[str, Any] = {"day": [day(n) for n in days], "price": [10.0 + n for n in days]}
    if sales is not None:
        rows["sales"] = pa.array(sales, pa.float64())
    return pa.table(rows | columns)


def series(count: int) -> Series:
    times = np.array([micros(n) for n in range(count)])
    return Series(times, np.zeros((count, 2)), DAILY)


def days_of(rows: pa.Table) -> list[int]:
    return [(time - START).days for time in rows["day"].to_pylist()]


@pytest.mark.parametrize(
    ("sales", "kept"),
    [
        ([1, 2, 3, 4], 4),
        ([1, 2, None, None], 2),
        ([1, None, 3, None], 3),  # a gap within the past is no future
        ([None, None, 3, None], 3),
        ([None, None, None, None], 4),  # without a target all rows are shown with their fault
        ([1, float("inf"), None, None], 1),
    ],
)
def test_the_past_ends_with_the_last_target(sales: list[Any], kept: int) -> None:
    rows = table([0, 1, 2, 3], sales)
    if not any(sales):
        with pytest.raises(DataError, match="'sales' holds no numbers"):
            past_rows(rows, fitted())
        return
    assert days_of(past_rows(rows, fitted())) == list(range(kept))


def test_the_past_of_each_series_ends_with_its_own_last_target() -> None:
    rows = table([0, 0, 1, 1, 2, 2], [1, 2, None, 3, None, None], shop=[*"ababab"])
    past = past_rows(rows, fitted(series=("shop",)))
    assert list(zip(past["shop"].to_pylist(), days_of(past), strict=True)) == [
        ("a", 0), ("b", 0), ("b", 1),
    ]  # fmt: skip


def test_rows_in_any_order_are_told_by_their_times() -> None:
    rows = table([3, 0, 2, 1], [None, 5, None, 6])
    assert days_of(past_rows(rows, fitted())) == [0, 1]
    assert past_rows(rows, fitted(known=[])) is rows  # nothing is known ahead: no row is a future


@given(st.permutations(range(3, 9)), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_what_is_known_is_laid_out_by_steps_whatever_the_order_of_rows(
    order: list[int], horizon: int
) -> None:
    known, notes = ahead_of_series(table(order), series(3), fitted(), horizon)
    assert known.tolist() == [[13.0 + step] for step in range(horizon)]
    assert notes == []


def test_of_rows_for_one_step_the_last_is_used_and_noted() -> None:
    rows = table([3, 4, 4], price=[1.0, 2.0, 9.0])
    known, [note] = ahead_of_series(rows, series(3), fitted(), 2)
    assert known.tolist() == [[1.0], [9.0]]
    assert note.rows == 1
    assert note.why == "1 row of the horizon with a time that occurs before: the last is used"


def test_a_category_has_a_one_at_its_place_and_a_new_one_has_none() -> None:
    state = fitted(known=[], categories={"sky": ("rain", "sun")})
    rows = table([3, 4, 5], sky=["sun", "rain", "hail"])
    known, _ = ahead_of_series(rows, series(3), state, 3)
    assert known.tolist() == [[0, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (table([3]), r"There is no row with price for 2024-03-02, step 2 of a horizon of 2"),
        (table([4]), r"no row with price for 2024-03-01, step 1 of a horizon of 2"),
        (table([0, 1]), r"no row with price for 2024-03-01, step 1"),
    ],
)
def test_a_step_without_a_value_is_named_by_its_day(rows: pa.Table, said: str) -> None:
    with pytest.raises(DataError, match=said):
        ahead_of_series(rows, series(3), fitted(), 2)


@pytest.mark.parametrize("empty", [None, float("nan"), float("inf")])
def test_a_column_without_a_value_is_named_where_the_others_have_one(empty: Any) -> None:
    rows = table([3, 4], price=[1.0, empty], promo=[0, 1])
    said = r"'price', known ahead in training, has no value for 2024-03-02, step 2 of a horizon"
    with pytest.raises(DataError, match=said):
        ahead_of_series(rows, series(3), fitted(known=["price", "promo"]), 2)


def test_months_are_counted_by_the_calendar() -> None:
    ends = ["2024-01-31", "2024-02-29", "2024-03-31"]
    times = np.array([np.datetime64(end, "us").astype(np.int64) for end in ends[:1]])
    monthly = Frequency("month", 1, anchor="")
    rows = pa.table({
        "day": [datetime.fromisoformat(end) for end in ends[1:]], "price": [5.0, 6.0],
    })  # fmt: skip
    state = fitted(unit="month", step=1)
    known, _ = ahead_of_series(rows, Series(times, np.zeros((1, 2)), monthly), state, 2)
    assert known.tolist() == [[5.0], [6.0]]


def panel(**lengths: int) -> Panel:
    """Series of shops by their numbers of days."""
    starts = np.cumsum([0, *lengths.values()])
    times = np.array([micros(n) for count in lengths.values() for n in range(count)])
    keys = pa.table({"shop": list(lengths)})
    return Panel(keys, starts, times, np.zeros((len(times), 2)), DAILY)


SHOPS = fitted(series=("shop",))


def test_the_horizon_of_each_series_begins_behind_its_own_end() -> None:
    rows = table([2, 3, 5, 6], shop=[*"aabb"])
    found, known = ahead_of_panel(rows, panel(a=2, b=5), SHOPS, 2)
    assert len(found) == 2
    assert known[:, :, 0].tolist() == [[12, 13], [15, 16]]


def test_series_without_their_horizon_are_left_out_and_the_first_is_named() -> None:
    rows = table([2, 3, 5, 2], shop=[*"aabc"])
    found, known = ahead_of_panel(rows, panel(a=2, b=5, c=2), SHOPS, 2)
    assert found.keys["shop"].to_pylist() == ["a"]
    assert known[:, :, 0].tolist() == [[12, 13]]
    [note] = found.notes
    assert (note.rows, note.kind) == (2, "lost")
    assert "2 series left out: There is no row with price for 2024-03-04, step 2" in note.why
    assert note.why.endswith("in shop = b")
    with pytest.raises(DataError, match="in shop = a, as in all 2 series"):
        ahead_of_panel(rows.slice(0, 1), panel(a=2, b=5), SHOPS, 2)


def test_rows_of_the_future_stand_behind_the_past_without_targets() -> None:
    joined, notes = join_future(table([0, 1], [5, 6]), table([2, 3], [7, 8]), fitted())
    assert days_of(joined) == [0, 1, 2, 3]
    assert joined["sales"].to_pylist() == [5, 6, None, None]
    assert joined["price"].to_pylist() == [10, 11, 12, 13]
    assert notes == []


def test_rows_of_the_future_that_lie_in_the_past_are_counted() -> None:
    joined, [note] = join_future(table([0, 1, 2], [5, 6, None]), table([0, 1, 2, 3]), fitted())
    assert days_of(joined) == [0, 1, 2, 2, 3]  # behind the last target, not the last row
    assert (note.rows, note.kind) == (2, "dropped")
    with pytest.raises(DataError, match="All 2 rows of the future file lie before the end"):
        join_future(table([0, 1], [5, 6]), table([0, 1]), fitted())
    with pytest.raises(DataError, match="The future file has no rows"):
        join_future(table([0, 1], [5, 6]), table([]), fitted())


def test_series_are_found_by_their_names_however_they_are_typed() -> None:
    past = table([0, 0], [5, 6], shop=[1, 2])
    future = table([1, 1, 1], shop=["2", "1", "3"])
    joined, [note] = join_future(past, future, SHOPS)
    assert joined["shop"].to_pylist() == [1, 2, 2, 1]
    assert (note.rows, note.kind) == (1, "lost")
    assert note.why.startswith("1 series of the future file, such as shop = 3, not in the past")
    with pytest.raises(DataError, match="not in the past file"):
        join_future(past, future.slice(2), SHOPS)


def test_future_and_past_may_write_times_and_numbers_in_other_types() -> None:
    past = table([0, 1], [5, 6])
    future = pa.table({"day": ["2024-02-29", "2024-03-01"], "price": ["12", "13.5"]})
    joined, _ = join_future(past, future, fitted())
    assert days_of(joined) == [0, 1, 2, 3]
    assert joined["price"].to_pylist() == [10, 11, 12, 13.5]
    wrong = pa.table({"day": ["soon"], "price": [1.0]})
    with pytest.raises(DataError, match="In the future file: "):
        join_future(past, wrong, fitted())
