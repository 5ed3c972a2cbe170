"""What is known besides the past of a series: rows of the horizon, categories, static columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.series.ahead import missing_step, read_ahead
from engine.data.series.channels import has_numbers, read_channels
from engine.data.series.frequency import DAY, Frequency
from engine.data.series.indicators import (
    category_notes,
    find_categories,
    indicator_names,
    indicators,
)
from engine.data.series.panel import number_series
from engine.data.series.roles import Roles
from engine.data.series.static import (
    find_static,
    fit_static,
    keys_of_series,
    static_values,
    unknown_static,
)
from engine.errors import DataError

DAILY = Frequency("time", DAY)
ROLES = Roles(
    "day", ("y",), (), series=("shop",), known=("price",), categories={"promo": ("no", "yes")}
)
NAN = float("nan")


def future(*rows: tuple[str, float | None, str | None]) -> pa.Table:
    """Rows of a day, a price and a promotion."""
    days = pa.array([pd.Timestamp(day) for day, _, _ in rows], pa.timestamp("us"))
    return pa.table({
        "day": days,
        "price": pa.array([price for _, price, _ in rows], pa.float64()),
        "promo": pa.array([promo for _, _, promo in rows], pa.string()),
    })  # fmt: skip


def ahead(table: pa.Table, series: list[int], ends: list[str], horizon: int) -> Any:
    last = np.array(list(map(microseconds, ends)))
    return read_ahead(table, ROLES, np.array(series), last, horizon, DAILY, "", {})


def microseconds(day: str) -> int:
    return int(np.datetime64(day, "us").astype(np.int64))


def test_rows_of_the_horizon_are_placed_by_series_and_step() -> None:
    table = future(
        ("2024-01-02", 1.0, "yes"), ("2024-01-01", 9.0, "no"), ("2024-01-04", 3.0, "no"),
        ("2024-01-03", 5.0, "no"), ("2024-01-09", 7.0, "no"), ("2024-01-02", 8.0, "no"),
    )  # fmt: skip
    found, notes = ahead(table, [0, 0, 0, 1, 0, -1], ["2024-01-01", "2024-01-01"], 3)
    nothing = [NAN] * 3
    assert found[0].tolist() == [
        pytest.approx([1, 0, 1]), pytest.approx(nothing, nan_ok=True), pytest.approx([3, 1, 0])
    ]  # fmt: skip
    assert found[1].tolist() == [
        pytest.approx(nothing, nan_ok=True),
        pytest.approx([5, 1, 0]),
        pytest.approx(nothing, nan_ok=True),
    ]
    assert notes == []


def test_of_several_rows_for_one_step_the_last_value_is_taken_and_counted() -> None:
    table = future(
        ("2024-01-02", 1.0, "yes"), ("2024-01-02", 2.0, "no"), ("2024-01-02", None, "no")
    )
    found, [note] = ahead(table, [0, 0, 0], ["2024-01-01"], 1)
    assert found[0].tolist() == [[2.0, 1.0, 0.0]]
    assert note.rows == 2


def test_the_first_value_that_is_missing_is_named_with_its_time() -> None:
    end = microseconds("2024-01-01")
    known = np.array([[1.0, 0, 1], [NAN, 1, 0], [2.0, NAN, NAN]])
    assert missing_step(known, ROLES, end, DAILY) == ("price", "2024-01-03", 2)
    assert missing_step(known[[0, 2]], ROLES, end, DAILY) == ("promo", "2024-01-03", 2)
    assert missing_step(known[:1], ROLES, end, DAILY) is None
    gone = np.full((2, 3), NAN)
    assert missing_step(gone, ROLES, end, DAILY) == ("", "2024-01-02", 1)


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c", ""])), min_size=1))
@settings(max_examples=50, deadline=None)
def test_indicators_are_those_of_pandas_and_sum_to_one(values: list[str | None]) -> None:
    table = pa.table({"k": pa.array(values, pa.string())})
    categories = find_categories(table["k"], "k")
    assert set(categories) == {value or "" for value in values}
    found = indicators(table, {"k": categories})
    dummies = pd.get_dummies(pd.Series([value or "" for value in values]), dtype=float)
    assert found.tolist() == dummies[list(categories)].to_numpy().tolist()
    assert (found.sum(1) == 1).all()


def test_missing_values_are_unknown_unless_they_are_a_category_and_new_ones_are_none() -> None:
    table = pa.table({"k": ["x", None, "new", "y"], "m": ["1", "", "1", None]})
    found = indicators(table, {"k": ("x", "y"), "m": ("", "1")})
    assert found[0].tolist() == [1, 0, 0, 1]
    assert np.isnan(found[1, :2]).all()
    assert found[1, 2:].tolist() == [1, 0]
    assert found[2].tolist() == [0, 0, 0, 1]
    assert found[3].tolist() == [0, 1, 1, 0]
    [note] = category_notes(table, {"k": ("x", "y"), "m": ("", "1")})
    assert note.rows == 1
    assert "such as 'new'" in note.why
    assert list(indicator_names({"k": ("x", "y")})) == ["k = x", "k = y"]


def test_only_the_most_frequent_categories_have_a_column() -> None:
    values = [f"c{i:03}" for i in range(60) for _ in range(1 + (i >= 20))]
    categories = find_categories(pa.chunked_array([values]), "k")
    assert len(categories) == 50
    assert set(categories) == {f"c{i:03}" for i in range(20, 60)} | {f"c{i:03}" for i in range(10)}
    assert list(categories) == sorted(categories)
    with pytest.raises(DataError, match="neither numbers nor categories"):
        find_categories(pa.chunked_array([[[1], [2]]]), "k")


SHOPS = pa.table({
    "shop": ["A", "A", "B", "B", "C", "C"],
    "area": [10.0, 10.0, 30.0, 30.0, 20.0, 20.0],
    "kind": ["big", "big", "small", "small", "big", "big"],
    "name": ["a", "a", "b", "b", "c", "c"],
    "sold": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    "always": ["x"] * 6,
})  # fmt: skip


def test_static_columns_have_one_value_in_each_series_and_several_in_all() -> None:
    codes, firsts = number_series(SHOPS, ["shop"])
    names = ["area", "kind", "name", "sold", "always"]
    # Names that are different for every series say no more than the series itself.
    assert find_static(SHOPS, names, codes, firsts) == ("area",)
    more = pa.concat_tables([SHOPS, SHOPS.set_column(0, "shop", pa.array(list("DDEEFF")))])
    codes, firsts = number_series(more, ["shop"])
    assert find_static(more, names, codes, firsts) == ("area", "kind", "name")


def test_static_values_are_standardised_numbers_and_indicators() -> None:
    codes, firsts = number_series(SHOPS, ["shop"])
    keys = keys_of_series(SHOPS, ["area", "kind"], ["shop"], codes, firsts)
    assert keys.to_pydict() == {
        "shop": ["A", "B", "C"], "area": [10.0, 30.0, 20.0], "kind": ["big", "small", "big"],
    }  # fmt: skip
    columns = fit_static(keys, ["area", "kind"], [])
    assert [column.width for column in columns] == [1, 2]
    scaled = (np.array([10.0, 30.0, 20.0]) - 20) / np.std([10, 30, 20])
    expected = np.stack([scaled, [1, 0, 1], [0, 1, 0]], 1)
    assert static_values(keys, columns) == pytest.approx(expected, abs=1e-6)


def test_what_is_missing_or_new_is_the_mean_and_no_category() -> None:
    keys = pa.table({"area": [10.0, 30.0], "kind": ["big", "small"]})
    columns = fit_static(keys, ["area", "kind"], [])
    new = pa.table({"area": [None, 20.0], "kind": ["huge", None]})
    assert static_values(new, columns).tolist() == [[0, 0, 0], [0, 0, 0]]
    unknown = {column.name: marks.tolist() for column, marks in unknown_static(new, columns)}
    assert unknown == {"area": [True, False], "kind": [False, True]}


def test_numbers_that_are_meant_as_categories_are_and_constants_are_divided_by_one() -> None:
    keys = pa.table({"code": [7, 7, 9], "same": [4.0, 4.0, 4.0]})
    code, same = fit_static(keys, ["code", "same"], ["code"])
    assert code.categories == ("7", "9")
    assert (same.mean, same.std) == (4.0, 1.0)
    assert static_values(keys, [code, same]).tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_a_static_value_may_be_missing_in_some_rows_and_is_refused_where_it_differs() -> None:
    table = pa.table({"shop": ["A", "A", "B", "B"], "area": [None, 10.0, 30.0, None]})
    codes, firsts = number_series(table, ["shop"])
    assert keys_of_series(table, ["area"], ["shop"], codes, firsts)["area"].to_pylist() == [10, 30]
    other = table.set_column(1, "area", pa.array([10.0, 10.0, 30.0, 31.0]))
    with pytest.raises(DataError, match=r"shop = B: 30.0, and 31.0 in row 4"):
        keys_of_series(other, ["area"], ["shop"], codes, firsts)


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([1, None, 3], [1.0, NAN, 3.0]),
        ([True, False], [1.0, 0.0]),
        ([1.5, float("inf")], [1.5, NAN]),
        (["1,006.60", "12.5"], [1006.60, 12.5]),
        (["007", "010"], [7.0, 10.0]),  # a series has no codes
        (["1", "", "NA"], [1.0, NAN, NAN]),
    ],
)
def test_channels_are_numbers_and_what_is_none_is_missing(
    values: list[Any], numbers: list[float]
) -> None:
    table = pa.table({"x": values})
    assert has_numbers(table["x"])
    assert read_channels(table, ["x"])[:, 0].tolist() == pytest.approx(numbers, nan_ok=True)


@pytest.mark.parametrize("values", [["a", "b"], [None, None], ["1", "2", "x"]])
def test_a_column_with_words_holds_no_numbers(values: list[Any]) -> None:
    table = pa.table({"x": pa.array(values, pa.string())})
    assert not has_numbers(table["x"])
    with pytest.raises(DataError):
        read_channels(table, ["x"])
