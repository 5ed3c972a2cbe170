"""Tables of several series are read as pandas would group, average, complete and fill them."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.series.frequency import DAY, Frequency
from engine.data.series.read_panel import read_panel
from engine.data.series.roles import Roles
from engine.errors import DataError

ROLES = Roles(time="day", targets=("sales",), inputs=("price",), series=("shop",))
DAILY = Frequency("time", DAY)
FIRST = dt.date(2024, 2, 20)
KNOWN = st.integers(-9, 9).map(float)
NUMBERS = st.none() | KNOWN
ROW = tuple[str, int, float | None, float | None]


@st.composite
def tables(draw: st.DrawFn) -> list[ROW]:
    """Shuffled rows: days of each shop, some missing and some twice, with holes in both columns."""
    rows: list[ROW] = []
    for shop in draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True)):
        begin = draw(st.integers(0, 5))
        # Two neighbouring days with a target show that a series has daily steps.
        rows += [(shop, begin + i, draw(KNOWN), draw(KNOWN)) for i in range(2)]
        later = draw(st.lists(st.integers(2, 8), max_size=7))
        often = [day for day in set(later) if later.count(day) < 3]
        rows += [(shop, begin + day, draw(NUMBERS), draw(NUMBERS)) for day in often]
        rows += [
            (shop, begin + day, draw(NUMBERS), draw(NUMBERS))
            for day in often
            if later.count(day) == 2
        ]
    return draw(st.permutations(rows))


def table_of(rows: list[ROW]) -> pa.Table:
    shops, days, sales, prices = zip(*rows, strict=True)
    return pa.table({
        "shop": shops,
        "day": pa.array([FIRST + dt.timedelta(day) for day in days], pa.date32()),
        "sales": pa.array(sales, pa.float64()),
        "price": pa.array(prices, pa.float64()),
    })  # fmt: skip


def by_pandas(rows: list[ROW]) -> dict[str, pd.DataFrame]:
    frame = pd.DataFrame(rows, columns=["shop", "day", "sales", "price"]).astype(
        {"sales": "float64", "price": "float64"}
    )
    found = {}
    for shop, group in frame.groupby("shop"):
        known = group.loc[group["sales"].notna(), "day"]
        kept = group[group["day"].between(known.min(), known.max())]
        means = kept.groupby("day")[["sales", "price"]].mean()
        found[str(shop)] = means.reindex(range(known.min(), known.max() + 1))
    return found


@given(tables())
@settings(max_examples=60, deadline=None)
def test_a_panel_has_the_means_of_each_day_and_lines_through_its_holes(rows: list[ROW]) -> None:
    panel = read_panel(table_of(rows), ROLES, frequency=DAILY)
    expected = by_pandas(rows)
    assert sorted(panel.keys["shop"].to_pylist()) == sorted(expected)
    for place, shop in enumerate(panel.keys["shop"].to_pylist()):
        own = slice(int(panel.starts[place]), int(panel.starts[place + 1]))
        holes = expected[shop]
        filled = holes.interpolate(limit_direction="both").fillna(0.0)
        assert np.allclose(panel.values[own], filled.to_numpy())
        origin = (FIRST - dt.date(1970, 1, 1)).days
        assert (panel.times[own] // DAY - origin).tolist() == holes.index.tolist()
        filled_in = np.isnan(holes.to_numpy())
        assert panel.filled is not None or not filled_in.any()
        if panel.filled is not None:
            assert (panel.filled[own] == filled_in).all()


@given(tables())
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_changes_nothing_but_that_of_the_series(rows: list[ROW]) -> None:
    one = read_panel(table_of(rows), ROLES, frequency=DAILY)
    other = read_panel(table_of(sorted(rows, key=lambda row: row[:2])), ROLES, frequency=DAILY)
    shops = one.keys["shop"].to_pylist(), other.keys["shop"].to_pylist()
    for place, shop in enumerate(shops[0]):
        again = shops[1].index(shop)
        first = one.values[one.starts[place] : one.starts[place + 1]]
        second = other.values[other.starts[again] : other.starts[again + 1]]
        assert np.allclose(first, second)


def test_a_row_without_the_target_counts_in_the_other_means_of_the_first_and_last_time() -> None:
    ends: list[ROW] = [
        ("a", 0, None, 2.0),
        ("a", 0, 1.0, 4.0),
        ("a", 1, 3.0, 6.0),
        ("a", 1, None, 8.0),
    ]
    for rows in (ends, ends[::-1]):
        panel = read_panel(table_of(rows), ROLES, frequency=DAILY)
        assert panel.values.tolist() == [[1, 3], [3, 7]]


def test_rows_around_the_targets_and_series_without_any_are_counted() -> None:
    rows: list[ROW] = [("a", day, float(day) if 1 <= day <= 3 else None, 0.0) for day in range(6)]
    rows += [("none", day, None, 1.0) for day in range(4)]
    panel = read_panel(table_of(rows), ROLES, frequency=DAILY)
    assert panel.keys["shop"].to_pylist() == ["a"]
    assert panel.values[:, 0].tolist() == [1, 2, 3]
    lost, outside = panel.notes
    assert (lost.rows, outside.rows) == (4, 3)
    assert lost.why == "1 series without any sales left out, such as shop = none"


def test_the_split_of_each_row_goes_with_it() -> None:
    days = [("b", 2), ("a", 1), ("b", 1), ("a", 0), ("a", 0)]
    rows: list[ROW] = [(shop, day, 1.0, 0.0) for shop, day in days]
    part = np.array([2, 1, 0, 0, 0], np.int8)
    panel = read_panel(table_of(rows), ROLES, frequency=DAILY, part=part)
    assert panel.keys["shop"].to_pylist() == ["b", "a"]
    assert panel.part is not None
    assert panel.part.tolist() == [0, 2, 0, 1]


@pytest.mark.parametrize(
    ("rows", "words"),
    [([("a", 0, None, 1.0), ("a", 1, None, 1.0)], "'sales' holds no numbers"), ([], "no rows")],
)
def test_a_table_without_a_series_is_refused(rows: list[ROW], words: str) -> None:
    table = table_of(rows or [("a", 0, math.nan, 0.0)]).slice(0, len(rows))
    with pytest.raises(DataError, match=words):
        read_panel(table, ROLES, frequency=DAILY)


def test_rows_without_a_name_are_one_series_that_says_so_and_are_counted() -> None:
    days = pa.array([FIRST + dt.timedelta(i) for i in range(4)] * 4, pa.date32())
    table = pa.table({
        "shop": pa.array(["A"] * 4 + [None] * 4 + ["  "] * 4 + ["None"] * 4),
        "aisle": pa.array([1.0] * 8 + [float("nan")] * 4 + [2.0] * 4),
        "day": days,
        "sales": np.arange(16.0),
    })  # fmt: skip
    panel = read_panel(table, Roles("day", ("sales",), (), series=("shop", "aisle")))
    names = ("shop", "aisle")
    assert [panel.name(i, names) for i in range(4)] == [
        "shop = A, aisle = 1",
        "shop = (missing), aisle = 1",
        "shop = (missing), aisle = (missing)",
        "shop = None, aisle = 2",
    ]
    assert [(note.why, note.rows) for note in panel.notes] == [
        ("8 rows without shop: one value of it, shop = (missing)", 8),
        ("4 rows without aisle: one value of it, aisle = (missing)", 4),
    ]
