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
from engine.data.tables.plain_numbers import plain_numbers
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
