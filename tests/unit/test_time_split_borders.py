"""Splits by time and by group: borders between times, and shares, for any rows."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.data.group_splits import classes_of, cut_by_group, group_folds
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.data.time_splits import cut_by_time
from engine.errors import DataError

ORDER = (TRAIN, VALIDATION, TEST)


def rows_of(raw: RawData) -> dict[str, list[int]]:
    return {split: table["row"].to_pylist() for split, table in raw.splits.items()}


@given(
    st.lists(st.one_of(st.none(), st.integers(-5, 30)), min_size=1, max_size=40),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.sampled_from([0.0, 0.1, 0.3]),
)
@example([0, 0, 0, 1, 2], 0.1, 0.3)  # the nearest border of test leaves validation without a time
@settings(max_examples=60, deadline=None)
def test_later_rows_are_set_aside_and_no_time_is_on_both_sides(
    times: list[int | None], validation: float, test: float
) -> None:
    known = [(time, row) for row, time in enumerate(times) if time is not None]
    raw = RawData({TRAIN: pa.table({
        "time": pa.array(times, pa.float64()), "row": list(range(len(times))),
    })})  # fmt: skip
    wanted = {VALIDATION: validation, TEST: test}
    asked = sum(share > 0 for share in wanted.values())
    try:
        cut = cut_by_time(raw, "time", wanted, None)
    except DataError:
        assert len({time for time, _ in known}) <= max(asked, 1)
        return
    rows = rows_of(cut)
    assert sorted(row for some in rows.values() for row in some) == [row for _, row in known]
    assert sum(skip.count for skip in cut.skips) == len(times) - len(known)
    borders = [[times[row] or 0 for row in rows[split]] for split in ORDER if split in rows]
    assert len(borders) == 1 + asked
    for earlier, later in itertools.pairwise(borders):
        assert max(earlier) < min(later)
    for split, share in wanted.items():
        if share:
            # As near to the share as whole times allow: at most half of the largest one off.
            largest = max(Counter(time for time, _ in known).values())
            assert len(rows[split]) <= max(1, round(share * len(known))) + largest


def test_dates_are_compared_as_times_and_told_as_dates() -> None:
    days = [f"2024-01-{day:02}" for day in (3, 1, 2, 5, 4)]
    raw = RawData({TRAIN: pa.table({"time": days * 4, "row": list(range(20))})})
    cut = cut_by_time(raw, "time", {TEST: 0.2}, None)
    assert rows_of(cut)[TEST] == [3, 8, 13, 18]
    assert cut.notes[-1].why == "4 rows from 2024-01-05 on set aside for test"


def test_a_source_whose_splits_overlap_in_time_is_a_doubt() -> None:
    train = pa.table({"time": [1.0, 5.0, 9.0], "row": [0, 1, 2]})
    raw = RawData({TRAIN: train, TEST: pa.table({"time": [5.0, 6.0], "row": [3, 4]})})
    cut = cut_by_time(raw, "time", {}, None)
    assert rows_of(cut) == {TRAIN: [0, 1, 2], TEST: [3, 4]}
    assert [(note.rows, note.why) for note in cut.notes] == [
        (2, "2 rows of train not before the first of test")
    ]


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=3, max_size=60),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_groups_are_whole_and_every_row_is_in_one_split(
    groups: list[int | None], seed: int
) -> None:
    raw = RawData({TRAIN: pa.table({
        "g": pa.array(groups, pa.int64()), "row": list(range(len(groups))),
    })})  # fmt: skip
    count = len({group for group in groups if group is not None}) + groups.count(None)
    wanted = {VALIDATION: 0.2, TEST: 0.2}
    if count < 3:
        with pytest.raises(DataError, match="too few for 3 splits"):
            cut_by_group(raw, "g", wanted, seed)
        return
    rows = rows_of(cut_by_group(raw, "g", wanted, seed))
    assert sorted(row for some in rows.values() for row in some) == list(range(len(groups)))
    owners = {
        split: {groups[row] for row in some if groups[row] is not None}
        for split, some in rows.items()
    }
    assert not owners[TRAIN] & owners[TEST]
    assert not owners[TRAIN] & owners[VALIDATION]
    assert not owners[VALIDATION] & owners[TEST]
    assert all(rows.values())


def test_the_shares_of_rows_are_met_to_about_half_of_a_group() -> None:
    random = np.random.default_rng(0)
    groups = random.integers(0, 150, 3000)
    classes = (groups % 4 == 0).astype(int)  # a class of whole groups
    table = pa.table({"g": groups, "c": classes, "row": np.arange(3000)})
    cut = cut_by_group(RawData({TRAIN: table}), "g", {VALIDATION: 0.1, TEST: 0.2}, 0, "c")
    largest = np.bincount(groups).max()
    for split, share in ((VALIDATION, 0.1), (TEST, 0.2), (TRAIN, 0.7)):
        rows = cut.splits[split]
        assert abs(rows.num_rows - share * 3000) <= largest
        own = np.mean(rows["c"].to_numpy())
        assert own == pytest.approx(classes.mean(), abs=0.03)


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_of_groups_are_whole_and_of_about_equal_size(folds: int) -> None:
    groups = np.random.default_rng(1).integers(0, 60, 600)
    raw = RawData({TRAIN: pa.table({"g": groups})})
    found = group_folds(raw, "g", folds, np.random.default_rng(0))
    for group in np.unique(groups):
        assert len(set(found[groups == group].tolist())) == 1
    sizes = np.bincount(found, minlength=folds)
    assert sizes.max() - sizes.min() <= np.bincount(groups).max()


def test_rows_without_a_class_are_a_class_of_their_own() -> None:
    table = pa.table({"c": ["b", None, "a", "b"]})
    assert classes_of(table, "c").tolist() == [1, 0, 2, 1]
    assert classes_of(table, None).tolist() == [0, 0, 0, 0]


def test_a_group_of_a_later_split_leaves_the_earlier_ones_and_is_counted() -> None:
    raw = RawData({
        TRAIN: pa.table({"g": ["a", "b", "c", "b"]}),
        VALIDATION: pa.table({"g": ["c", "d", "e"]}),
        TEST: pa.table({"g": ["e", "b"]}),
    })  # fmt: skip
    cut = cut_by_group(raw, "g", {}, 0)
    assert {split: table["g"].to_pylist() for split, table in cut.splits.items()} == {
        TRAIN: ["a"], VALIDATION: ["c", "d"], TEST: ["e", "b"],
    }  # fmt: skip
    assert [(skip.count, skip.example) for skip in cut.skips] == [
        (1, "'e' in validation"), (3, "'b' in train"),
    ]  # fmt: skip
    assert sum(skip.count for skip in cut.skips) == 9 - 5
