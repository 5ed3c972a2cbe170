"""Texts that are plain numbers take a short way, to the same numbers as by the long one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.raw import with_decimal_mark, with_other_format
from engine.data.tables.converted import with_plain_numbers
from engine.data.tables.number_format import parsed_numbers
from engine.data.tables.plain_numbers import plain_numbers, with_odd_apart
from engine.data.tables.schema import Column, NumberFormat
from engine.data.tables.values import numbers

FORMATS = [
    NumberFormat(decimal=decimal, grouping=grouping)
    for decimal, grouping in [(".", ""), (".", ","), (",", ""), (",", "."), (".", "'")]
]
spelled = st.one_of(
    st.from_regex(r"[-+]?\d{0,4}[.,']?\d{0,3}([eE][-+]?\d{1,3})?", fullmatch=True),
    st.sampled_from(
        ["007", "00", "0", "0.5", "-012", "inf", "-Infinity", "nan(1)", "1e999", "12 kg"]
    ),
)


@settings(deadline=None)
@given(st.lists(spelled, min_size=1, max_size=6), st.sampled_from(FORMATS))
def test_the_short_way_gives_the_numbers_of_the_long_one(
    values: list[str], written: NumberFormat
) -> None:
    whole = pa.chunked_array([["x", *values, "y"]])
    short = plain_numbers(whole.slice(1, len(values)), written)
    if short is not None:
        assert short.to_pylist() == parsed_numbers(values, written).tolist()


@pytest.mark.parametrize("text", ["007", "00", "inf", "1e999", "12 kg", "1,5", "nan(1)", "a"])
def test_a_text_that_may_be_something_else_takes_the_long_way(text: str) -> None:
    assert plain_numbers(pa.chunked_array([["1", "0.5"], [text]]), NumberFormat()) is None
    assert plain_numbers(pa.chunked_array([["1", "0.5"], []]), NumberFormat()) is not None


def columns(table: pa.Table, decimal: str = ".") -> list[Column]:
    written = NumberFormat(decimal=decimal)
    return [Column(name=name, type="numeric", number_format=written) for name in table.column_names]


def test_columns_of_plain_numbers_are_converted_and_others_stay_as_they_are_written() -> None:
    table = pa.table(
        {"plain": ["1.5", "", " 2"], "code": ["01", "1", "2"], "real": [1.0, 2.0, 3.0]}
    )
    found = with_plain_numbers(table, columns(table))
    assert found.schema.types == [pa.float64(), pa.string(), pa.float64()]
    assert found["plain"].to_pylist() == [1.5, None, 2.0]
    for name in table.column_names:
        assert np.array_equal(numbers(found[name]), numbers(table[name]), equal_nan=True)


def test_nothing_is_converted_where_marks_may_mean_something_else() -> None:
    table = pa.table({"plain": ["1.5", "2.25"]})
    for unlike in (with_decimal_mark(table, ","), with_other_format(table)):
        assert with_plain_numbers(unlike, columns(table)).equals(unlike)
    assert with_plain_numbers(table, columns(table, ",")).equals(table)


@settings(deadline=None)
@given(st.lists(spelled, min_size=1, max_size=6), st.sampled_from(FORMATS))
def test_odd_cells_among_plain_ones_are_read_as_they_are_alone(
    values: list[str], written: NumberFormat
) -> None:
    found = numbers(pa.chunked_array([["3", "-2.5"], ["x", *values, None]]), written)
    usual = pa.chunked_array([values])
    np.testing.assert_array_equal(found[3:-1], numbers(usual, written))
    assert np.isnan(found[[2, -1]]).all()
    assert found[0] == 3


def test_only_odd_cells_take_the_long_way() -> None:
    cells = pa.chunked_array([["1", "-2.50", "1,234", None], ["007", "0.5", "12 kg", "1e3"]])
    apart = with_odd_apart(cells, NumberFormat(decimal=".", grouping=","))
    assert apart is not None
    assert apart[1].tolist() == [2, 4, 6, 7]
    np.testing.assert_array_equal(apart[0][[0, 1, 3, 5]], [1, -2.5, np.nan, 0.5])
    assert with_odd_apart(cells, NumberFormat(decimal=",")) is None


def test_words_are_truth_values_beside_zeros_and_ones_alone() -> None:
    for cells, expected in ((["1", "0", "true"], [1, 0, 1]), (["5", "0", "true"], [5, 0, np.nan])):
        np.testing.assert_array_equal(numbers(pa.chunked_array([cells]), NumberFormat()), expected)
