"""Several series in flat arrays: numbering, cutting and finding them again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.series.frequency import DAY, Frequency
from engine.data.series.panel import Panel, find_keys, key_texts, number_series

FREQUENCY = Frequency("time", DAY)


def panel_of(lengths: list[int]) -> Panel:
    """Series called 0, 1, … of these lengths, whose values are the numbers of their rows."""
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = int(starts[-1])
    return Panel(
        pa.table({"shop": [str(i) for i in range(len(lengths))]}),
        starts,
        np.arange(rows) * DAY,
        np.arange(rows, dtype=np.float64)[:, None],
        FREQUENCY,
        filled=(np.arange(rows) % 2 == 0)[:, None],
        part=(np.arange(rows) % 3).astype(np.int8),
    )


@given(st.data(), st.lists(st.integers(1, 6), min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_ranges_of_series_have_the_rows_that_slices_have(
    data: st.DataObject, lengths: list[int]
) -> None:
    panel = panel_of(lengths)
    slices = []
    for start, end in zip(panel.starts[:-1].tolist(), panel.starts[1:].tolist(), strict=True):
        first = data.draw(st.integers(start, end))
        slices.append((first, data.draw(st.integers(first, end))))
    begins, ends = (np.array(part, np.int64) for part in zip(*slices, strict=True))
    cut = panel.ranges(begins, ends)
    kept = [range(begin, end) for begin, end in slices if end > begin]
    rows = [row for some in kept for row in some]
    assert cut.values[:, 0].tolist() == rows
    assert cut.times.tolist() == [row * DAY for row in rows]
    assert cut.lengths.tolist() == list(map(len, kept))
    assert cut.keys["shop"].to_pylist() == [
        str(i) for i, (begin, end) in enumerate(slices) if end > begin
    ]
    assert cut.filled is not None
    assert cut.part is not None
    assert cut.filled[:, 0].tolist() == [row % 2 == 0 for row in rows]
    assert cut.part.tolist() == [row % 3 for row in rows]
    assert len(cut) == len(kept)


def test_chosen_series_keep_their_rows_and_all_of_them_are_the_panel_itself() -> None:
    panel = panel_of([2, 3, 1])
    assert panel.chosen(np.array([True, True, True])) is panel
    some = panel.chosen(np.array([False, True, True]))
    assert some.values[:, 0].tolist() == [2, 3, 4, 5]
    assert some.codes.tolist() == [0, 0, 0, 1]
    assert some.name(1, ["shop"]) == "shop = 2"


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", None, "NA"]), st.integers(0, 2)),
        min_size=1, max_size=20,
    )
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_series_are_numbered_as_groups_of_pandas_are(rows: list[tuple[str | None, int]]) -> None:
    table = pa.table({"shop": [a for a, _ in rows], "item": [b for _, b in rows]})
    codes, firsts = number_series(table, ["shop", "item"])
    texts = pd.Series([f"{'' if a is None else a}|{b}" for a, b in rows])
    expected, _ = pd.factorize(texts)
    assert codes.tolist() == expected.tolist()
    assert firsts.tolist() == [
        int(np.flatnonzero(expected == i)[0]) for i in range(expected.max() + 1)
    ]


def test_numbers_that_are_the_same_as_texts_are_one_series() -> None:
    table = pa.table({"shop": [1.0, 2.0, 1.0, None]})
    other = pa.table({"shop": ["1", "2", "1", ""]})
    assert number_series(table, ["shop"])[0].tolist() == [0, 1, 0, 2]
    assert key_texts(table, ["shop"]) == key_texts(other, ["shop"])


def test_columns_of_codes_are_numbered_by_their_values() -> None:
    coded = pa.chunked_array([
        pa.DictionaryArray.from_arrays([0, 1, 0], ["x", "y"]),
        pa.DictionaryArray.from_arrays([0, 1], ["y", "x"]),
    ])  # fmt: skip
    codes, firsts = number_series(pa.table({"shop": coded}), ["shop"])
    assert codes.tolist() == [0, 1, 0, 1, 0]
    assert firsts.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("known", "wanted", "places"),
    [
        ([["a", "b"]], [["b", "c", "a", "b"]], [1, -1, 0, 1]),
        ([["a", "a"], ["1", "2"]], [["a", "a", "b"], ["2", "3", "1"]], [1, -1, -1]),
        ([["", "NA"]], [["NA", ""]], [1, 0]),  # names, not missing values
        ([["a"]], [[]], []),
        ([[]], [["a"]], [-1]),
    ],
)
def test_keys_are_found_in_their_order_and_new_ones_are_none(
    known: list[list[str]], wanted: list[list[str]], places: list[int]
) -> None:
    assert find_keys(known, wanted).tolist() == places


def test_no_rows_are_no_series() -> None:
    codes, firsts = number_series(pa.table({"shop": pa.array([], pa.string())}), ["shop"])
    assert codes.tolist() == []
    assert firsts.tolist() == []
