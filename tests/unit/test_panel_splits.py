"""Splits of several series: the later rows of each, with a window of what came before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.data.base import DataConfig
from engine.config.data.file import FileConfig
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.series.frequency import DAY, Frequency
from engine.data.series.panel import Panel
from engine.data.series.panel_splits import (
    cut_panel,
    join_splits,
    length_notes,
    panel_table,
    split_panel,
    without_marks,
)
from engine.data.series.roles import Roles
from engine.errors import DataError

ROLES = Roles("day", ("y",), ("x",), series=("shop",))


def config(**values: Any) -> DataConfig:
    return FileConfig(path="a.csv", **values)


def panel_of(lengths: list[int], parts: list[int] | None = None) -> Panel:
    """Series called A, B, … whose values are the numbers of their rows in all rows."""
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.arange(starts[-1])
    return Panel(
        pa.table({"shop": [chr(65 + i) for i in range(len(lengths))]}),
        starts,
        rows * DAY,
        np.stack([rows, 100.0 * rows], 1),
        Frequency("time", DAY),
        part=None if parts is None else np.array(parts, np.int8),
    )


def own_rows(
    splits: dict[str, Panel], contexts: dict[str, Any], shop: str
) -> dict[str, tuple[list[int], list[int]]]:
    """Of each split with the series, the rows of context and those of the split itself."""
    found = {}
    for name, panel in splits.items():
        names = panel.keys["shop"].to_pylist()
        if shop in names:
            at = names.index(shop)
            begin, end = panel.starts[at], panel.starts[at + 1]
            rows = panel.values[begin:end, 0].astype(int).tolist()
            found[name] = (rows[: contexts[name][at]], rows[contexts[name][at] :])
    return found


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.integers(1, 6),
    st.integers(1, 4),
)
@settings(max_examples=80, deadline=None)
def test_every_row_is_in_one_split_and_each_split_looks_back_by_a_window(
    lengths: list[int], validation: float, test: float, window: int, horizon: int
) -> None:
    panel = panel_of(lengths)
    settings_of = config(validation_fraction=validation, test_fraction=test)
    least = horizon * ((validation > 0) + (test > 0))
    if least and max(lengths) - least <= horizon:
        return
    try:
        splits, contexts, _ = cut_panel(panel, settings_of, [], window, horizon)
    except DataError:
        fractions = [max(horizon, round(f * max(lengths))) for f in (validation, test) if f]
        assert max(lengths) - sum(fractions) <= horizon + 1
        return
    begin = 0
    for number, length in enumerate(lengths):
        found = own_rows(splits, contexts, chr(65 + number))
        rows = [row for name in (TRAIN, VALIDATION, TEST) for row in found.get(name, ((), ()))[1]]
        assert rows == list(range(begin, begin + length))
        for context, own in found.values():
            first = own[0]
            assert context == list(range(max(begin, first - window), first))
        for name, share in ((VALIDATION, validation), (TEST, test)):
            if name in found:
                assert len(found[name][1]) == max(horizon, np.rint(share * length))
        if len(found) > 1:  # a series too short is only trained on
            assert len(found[TRAIN][1]) > horizon
        begin += length


def test_splits_by_numbers_of_rows_count_what_is_left() -> None:
    splits, contexts, notes = cut_panel(panel_of([10, 4]), config(), [5, 2, 2], 3, 1)
    assert own_rows(splits, contexts, "A") == {
        TRAIN: ([], [0, 1, 2, 3, 4]), VALIDATION: ([2, 3, 4], [5, 6]), TEST: ([4, 5, 6], [7, 8]),
    }  # fmt: skip
    assert own_rows(splits, contexts, "B") == {TRAIN: ([], [10, 11, 12, 13])}
    [note] = notes
    assert (note.rows, note.kind) == (1, "dropped")


def test_splits_of_the_source_stay_and_what_they_lack_is_cut_from_training() -> None:
    parts = [0] * 8 + [2] * 2 + [0] * 6 + [2] * 3
    splits, contexts, notes = cut_panel(
        panel_of([10, 9], parts), config(validation_fraction=0.25, test_fraction=0.5), [], 2, 1
    )
    assert own_rows(splits, contexts, "A") == {
        TRAIN: ([], [0, 1, 2, 3, 4, 5]), VALIDATION: ([4, 5], [6, 7]), TEST: ([6, 7], [8, 9]),
    }  # fmt: skip
    assert own_rows(splits, contexts, "B")[TEST] == ([14, 15], [16, 17, 18])
    assert [note.read_as for note in notes] == [VALIDATION]
    assert notes[0].rows == 2 + 2


def test_no_test_rows_are_cut_before_the_validation_rows_of_the_source() -> None:
    parts = [0] * 8 + [1] * 2
    splits, _, notes = cut_panel(panel_of([10], parts), config(test_fraction=0.2), [], 2, 1)
    assert set(splits) == {TRAIN, VALIDATION}
    assert [note.kind for note in notes] == ["doubt"]


@pytest.mark.parametrize(
    ("parts", "rows", "message"),
    [
        ([0, 1, 0, 0], [], "training rows after rows of validation or test"),
        ([0, 2, 1, 1], [], "training rows after rows of validation or test"),
        ([0, 0, 1, 2], [1, 1, 1], "task.split_rows: the data already has splits"),
    ],
)
def test_splits_that_contradict_are_refused(
    parts: list[int], rows: list[int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        cut_panel(panel_of([4], parts), config(), rows, 2, 1)


def test_series_that_are_all_too_short_are_refused() -> None:
    aside = config(validation_fraction=0.2, test_fraction=0.2)
    with pytest.raises(DataError, match="the longest has 6 rows to train"):
        cut_panel(panel_of([6, 3]), aside, [], 2, 2)


def test_at_most_so_many_training_rows_are_kept_the_last_of_each_series() -> None:
    limited = config(max_samples=6, validation_fraction=0, test_fraction=0)
    splits, contexts, notes = cut_panel(panel_of([8, 4]), limited, [], 2, 1)
    assert own_rows(splits, contexts, "A")[TRAIN] == ([], [4, 5, 6, 7])
    assert own_rows(splits, contexts, "B")[TRAIN] == ([], [10, 11])
    assert any("6 of 12" in note.why for note in notes)


def test_a_split_survives_its_way_through_a_table() -> None:
    panel = replace(panel_of([5, 3]), filled=np.arange(16).reshape(8, 2) % 3 == 0)
    context = np.array([2, 0])
    table = panel_table(panel, ROLES, context)
    found, own = split_panel(table)
    assert own.tolist() == [2, 0]
    assert found.keys.to_pydict() == {"shop": ["A", "B"]}
    assert found.starts.tolist() == panel.starts.tolist()
    assert found.times.tolist() == panel.times.tolist()
    assert found.values.tolist() == panel.values.tolist()
    assert found.filled is not None
    assert panel.filled is not None
    assert found.filled.tolist() == panel.filled.tolist()
    assert found.frequency == panel.frequency
    assert without_marks(table).column_names == ["shop", "day", "y", "x"]


def test_rows_of_all_splits_are_joined_with_the_number_of_their_split() -> None:
    train, test = pa.table({"y": [1, 2]}), pa.table({"y": [2.5]})
    empty = train.slice(0, 0)
    table, numbers = join_splits({TRAIN: train, VALIDATION: empty, TEST: test})
    assert table["y"].to_pylist() == [1.0, 2.0, 2.5]
    assert numbers is not None
    assert numbers.tolist() == [0, 0, 2]
    assert join_splits({TRAIN: train}) == (train, None)
    with pytest.raises(DataError, match="columns of different types"):
        join_splits({TRAIN: train, TEST: pa.table({"y": ["x"]})})


def test_series_too_short_for_a_window_are_counted_by_reason() -> None:
    panel = panel_of([9, 3, 2])
    notes = length_notes({TRAIN: panel}, {TRAIN: np.zeros(3, np.int64)}, ROLES, 5, 2)
    assert [(note.kind, note.rows) for note in notes] == [("lost", 2), ("doubt", 3)]
    assert "1 series, such as shop = C, shorter than a horizon of 2" in notes[0].why
    with pytest.raises(DataError, match="No series has 8 train rows"):
        length_notes({TRAIN: panel_of([7, 3])}, {TRAIN: np.zeros(2, np.int64)}, ROLES, 5, 7)
