"""Dates and times of day in the forms that files have, written and read again."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.dates.compact import find_number_spelling, read_numbers
from engine.data.dates.month_names import with_short_months
from engine.data.dates.spellings import FISCAL_PERIODS, FISCAL_YEARS, ISO, QUARTERS, WEEKS
from engine.data.dates.writing import find_writing, write_moment
from engine.data.tables.categories import respelled
from engine.data.tables.clocks import find_clock_format, parsed_clocks, typed_clocks
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import truths_or_numbers

DAYS = st.lists(st.dates(datetime.date(1990, 1, 1), datetime.date(2100, 12, 31)), min_size=3)


def moments_of(days: list[datetime.date]) -> np.ndarray:
    return np.array(days, "M8[D]").astype("M8[us]")


@given(
    DAYS, st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y"])
)
@settings(max_examples=50, deadline=None)
def test_dates_are_written_in_the_form_in_which_they_were_read(
    days: list[datetime.date], form: str
) -> None:
    texts, moments = [day.strftime(form) for day in days], moments_of(days)
    spelling = ISO if form.startswith("%Y") else form
    found = find_writing(texts, moments, spelling)
    assert found
    assert [write_moment(int(time), found) for time in moments.astype(np.int64)] == texts


@pytest.mark.parametrize(
    ("text", "moment", "spelling"),
    [
        ("2024Q3", "2024-07-01", QUARTERS), ("Q1 2024", "2024-01-01", QUARTERS),
        ("2024-W05", "2024-01-29", WEEKS), ("KW05 2024", "2024-01-29", WEEKS),
        ("FY2024", "2024-01-01", FISCAL_YEARS), ("2024/25", "2024-01-01", FISCAL_YEARS),
        ("1999-00", "1999-01-01", FISCAL_YEARS), ("FY24", "2024-01-01", FISCAL_YEARS),
        ("FY2024-P07", "2024-07-01", FISCAL_PERIODS), ("P7 FY24", "2024-07-01", FISCAL_PERIODS),
        ("2024P11", "2024-11-01", FISCAL_PERIODS), ("P02-2024", "2024-02-01", FISCAL_PERIODS),
        ("FY2024 Q3", "2024-07-01", QUARTERS), ("Q3 FY24", "2024-07-01", QUARTERS),
        ("1.2.2024", "2024-02-01", "%d.%m.%Y"), ("March 05, 2024", "2024-03-05", "%b %d, %Y"),
        ("2024-02-01T05:06", "2024-02-01T05:06", ISO), ("2024", "2024-01-01", ISO),
    ],
)  # fmt: skip
def test_a_form_is_found_with_and_without_zeros(text: str, moment: str, spelling: str) -> None:
    moments = np.array([moment], "M8[us]")
    found = find_writing([text], moments, spelling)
    assert write_moment(int(moments.astype(np.int64)[0]), found) == text


def test_a_form_that_is_not_that_of_all_dates_is_none() -> None:
    moments = np.array(["2024-02-01", "2024-03-01"], "M8[us]")
    assert find_writing(["2024-02-01", "01.03.2024"], moments, ISO) == ""


@pytest.mark.parametrize(
    ("form", "size"), [("%Y%m%d", "D"), ("%Y%m", "M"), ("%Y%m%d%H", "h"), ("%Y%m%d%H%M%S", "s")]
)
def test_whole_numbers_are_dates_by_their_digits(form: str, size: str) -> None:
    stamps = pd.date_range("2019-12-30 23:00:00", periods=60, freq="13D").as_unit("s")
    expected = stamps.to_numpy().astype(f"M8[{size}]").astype("M8[us]")
    numbers = np.array([int(stamp.strftime(form)) for stamp in stamps])
    spelling = find_number_spelling(numbers)
    assert spelling == form
    assert (read_numbers(numbers, spelling) == expected).all()
    assert [write_moment(int(time), form) for time in expected.astype(np.int64)] == numbers.tolist()


@pytest.mark.parametrize(
    ("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]
)
def test_large_whole_numbers_are_times_since_1970(unit: str, factor: int) -> None:
    seconds = np.arange(1_600_000_000, 1_600_000_010)
    spelling = find_number_spelling(seconds * factor)
    assert spelling == f"{unit} since 1970"
    found = read_numbers(seconds * factor, spelling)
    assert (found == seconds.astype("M8[s]").astype("M8[us]")).all()
    times = found.astype(np.int64).tolist()
    assert [write_moment(time, spelling) for time in times] == (seconds * factor).tolist()


def test_whole_numbers_are_times_since_1970_from_1973_on() -> None:
    first = 10**8
    assert find_number_spelling(np.array([first, first + 60])) == "s since 1970"
    assert find_number_spelling(np.array([first - 1, first + 60])) == ""


@pytest.mark.parametrize("numbers", [[], [1, 2, 3], [20_241_399] * 5, [1234567] * 4])
def test_numbers_that_only_count_are_no_dates(numbers: list[int]) -> None:
    assert find_number_spelling(np.array(numbers, np.int64)) == ""


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("3. März 2024", "3. Mar 2024"), ("1 de enero de 2024", "1 Jan 2024"),
        ("Monday, 4th March 2024", "4 Mar 2024"), ("12 août 2024", "12 Aug 2024"),
        ("5 мая 2024 г.", "5 May 2024"), ("lundi 1er janvier 2024", "1 Jan 2024"),
        ("12-sept.-2024", "12-Sep-2024"), ("2024-03-04", "2024-03-04"),
    ],
)  # fmt: skip
def test_names_of_months_are_english_abbreviations(text: str, plain: str) -> None:
    assert with_short_months(pd.Series([text])).tolist() == [plain]


@given(st.lists(st.times(), min_size=1, max_size=10))
@settings(max_examples=50, deadline=None)
def test_times_of_day_are_seconds_since_midnight(times: list[datetime.time]) -> None:
    seconds = [t.hour * 3600 + t.minute * 60 + t.second + t.microsecond / 1e6 for t in times]
    texts = [t.isoformat() for t in times]
    assert parsed_clocks(texts, "s") == pytest.approx(seconds)
    assert parsed_clocks(texts, "ms") == pytest.approx(1000 * np.array(seconds))
    typed = pa.chunked_array([pa.array(times, pa.time64("us"))])
    assert typed_clocks(typed, "s") == pytest.approx(seconds)
    assert typed_clocks(typed, "us") == pytest.approx(1e6 * np.array(seconds))


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [
        (["17:30", "9:05:07.5"], 1.0, True), (["17:30", "x"], 1.0, False),
        (["17:30", "x"], 0.5, True), (["17:60"], 1.0, False), ([], 0.5, False),
        (["1:2"], 1.0, False),
    ],
)  # fmt: skip
def test_texts_are_times_of_day_by_their_share(
    values: list[str], share: float, found: bool
) -> None:
    assert (find_clock_format(pa.string(), values, share) is not None) is found
    assert np.isnan(parsed_clocks(["x", "17:60", ""], "s")).all()


@pytest.mark.parametrize(
    ("values", "categories", "labels", "told"),
    [
        (["1.0", "01", "1e0", "2", None], ["1", "2"], False, ["1", "01", "1", "2", None]),
        (["True", "FALSE", "yes", "no way"], ["true", "false"], False,
         ["true", "false", "true", "no way"]),
        (["1", "0.0", "T", "x"], ["no", None, "yes"], False, ["yes", "no", "yes", "x"]),
        (["345.0", "+345", "7,0", "345,000", "7.5", "A1"], ["345", "7", "A1"], False,
         ["345", "345", "7", "345,000", "7.5", "A1"]),
        (["345", "A1"], ["345.0", "A1"], False, ["345.0", "A1"]),
        (["345"], ["345.0", "345.00", "A1"], False, ["345"]),  # it may be either
        (["7", "07.0"], ["007", "07"], False, ["7", "07.0"]),
        (["9007199254740993.0"], ["9007199254740992", "x"], False, ["9007199254740993.0"]),
        (["1", "yes", "T", "0", "maybe"], ["True", "False"], True,
         ["True", "True", "True", "False", "maybe"]),
        (["a", "A"], ["a", "b"], True, ["a", "A"]),
        (["1", "1.0"], ["1", "1.0"], True, ["1", "1.0"]),  # each is a label itself
        ([], ["a"], False, []),
    ],
)  # fmt: skip
def test_texts_that_mean_a_category_have_its_spelling(
    values: list[str | None], categories: list[str], labels: bool, told: list[str | None]
) -> None:
    column = pa.chunked_array([pa.array(values, pa.string())])
    assert respelled(column, categories, labels).to_pylist() == told


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["true", "False", "1"], [1, 0, 1]), (["1", "0"], [1, 0]), (["true", "2"], [None, 2]),
        (["true", "x"], [1, None]), (["TRUE"], [1]), (["0.5", "false"], [0.5, None]), ([], []),
    ],
)  # fmt: skip
def test_truth_values_are_numbers_only_beside_no_others(
    values: list[str], numbers: list[float | None]
) -> None:
    read = truths_or_numbers(values, NumberFormat())
    assert [None if np.isnan(number) else number for number in read] == numbers
