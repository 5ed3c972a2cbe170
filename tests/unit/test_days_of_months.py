"""Days that monthly series keep to are those of the offsets of pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.series.months import after, days_in, find_anchor

OFFSETS = {
    "-1 day": pd.offsets.MonthEnd(),
    "1 day": pd.offsets.MonthBegin(),
    "-1 business": pd.offsets.BMonthEnd(),
    "1 business": pd.offsets.BMonthBegin(),
    "3 Fri": pd.offsets.WeekOfMonth(week=2, weekday=4),
    "1 Mon": pd.offsets.WeekOfMonth(week=0, weekday=0),
    "-1 Wed": pd.offsets.LastWeekOfMonth(weekday=2),
    "-1 Sun": pd.offsets.LastWeekOfMonth(weekday=6),
}
MONTHS = st.integers(-600, 1200)  # since January 1970


def months_from(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count).astype("M8[M]")


def days(index: pd.DatetimeIndex) -> np.ndarray:
    return index.to_numpy().astype("M8[D]")


@pytest.mark.parametrize("anchor", OFFSETS)
@given(first=MONTHS)
@settings(max_examples=15, deadline=None)
def test_an_anchor_is_the_day_of_the_offset_of_pandas(anchor: str, first: int) -> None:
    months = months_from(first, 30)
    expected = pd.date_range(months[0].astype("M8[D]"), periods=30, freq=OFFSETS[anchor])
    assert (days_in(months, anchor) == days(expected)).all()


@pytest.mark.parametrize("anchor", [*OFFSETS, "28 day", "29 day", "30 day", "15 day", "2 Tue"])
@given(first=MONTHS, ahead=st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_a_series_continues_on_the_days_that_it_has_kept_to(
    anchor: str, first: int, ahead: int
) -> None:
    whole = days_in(months_from(first, 24 + ahead), anchor)
    found = find_anchor(whole[:24])
    assert found is not None
    noon = whole[:24].astype("M8[us]") + np.timedelta64(12, "h")
    later = after(noon[0], np.arange(24 + ahead), found)
    assert (later == whole.astype("M8[us]") + np.timedelta64(12, "h")).all()


def test_days_without_a_rule_have_no_anchor() -> None:
    drawn = np.random.default_rng(0).integers(0, 28, 24)
    assert find_anchor(months_from(600, 24).astype("M8[D]") + drawn) is None
    # Three first Mondays may be chance.
    for first in range(600, 606):
        assert find_anchor(days_in(months_from(first, 3), "1 Mon")) is None
    assert find_anchor(days_in(months_from(600, 24), "1 Mon")) == "1 Mon"


def test_one_holiday_in_twenty_months_hides_no_business_day() -> None:
    kept = days_in(months_from(600, 40), "-1 business")
    kept[[7, 20]] -= np.timedelta64(1, "D")
    assert find_anchor(kept) == "-1 business"
    kept[[8, 21]] -= np.timedelta64(1, "D")
    assert find_anchor(kept) is None
