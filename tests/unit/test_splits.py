"""Rows of the splits: each once, in the right shares, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

from engine.config.data.builtin import BuiltinConfig
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.data.splits import cut_splits
from engine.errors import DataError


def raw(labels: list[Any], **others: int) -> RawData:
    table = pa.table({"row": list(range(len(labels))), "label": labels})
    made = {TRAIN: table}
    for name, count in others.items():
        made[name] = pa.table({"row": list(range(-count, 0)), "label": labels[:count]})
    return RawData(made)


def section(**fields: Any) -> BuiltinConfig:
    return BuiltinConfig(**fields)


def rows(cut: RawData, split: str) -> list[int]:
    return cut.splits[split]["row"].to_pylist() if split in cut.splits else []


def test_every_row_is_in_exactly_one_split() -> None:
    cut = cut_splits(raw(["a", "b"] * 100), section())
    everything = rows(cut, TRAIN) + rows(cut, VALIDATION) + rows(cut, TEST)
    assert sorted(everything) == list(range(200))
    assert (len(rows(cut, VALIDATION)), len(rows(cut, TEST))) == (30, 30)


def test_the_same_seed_gives_the_same_splits_and_another_gives_others() -> None:
    data = raw(["a"] * 200)
    first = rows(cut_splits(data, section()), TEST)
    assert rows(cut_splits(data, section()), TEST) == first
    assert rows(cut_splits(data, section(split_seed=1)), TEST) != first


def test_stratified_splits_keep_the_shares_of_the_classes() -> None:
    cut = cut_splits(raw(["a"] * 800 + ["b"] * 200), section(), "label")
    for split in (TRAIN, VALIDATION, TEST):
        counts = Counter(cut.splits[split]["label"].to_pylist())
        assert counts["b"] / counts.total() == pytest.approx(0.2, abs=0.01)


def test_a_class_too_rare_to_share_stays_in_training() -> None:
    cut = cut_splits(raw(["a"] * 100 + ["once", "twice", "twice"]), section(), "label")
    assert {"once", "twice"} <= set(cut.train["label"].to_pylist())
    assert set(cut.splits[TEST]["label"].to_pylist()) == {"a"}


def test_splits_of_the_source_are_kept() -> None:
    data = raw(["a"] * 100, validation=10)
    cut = cut_splits(data, section(test_fraction=0.1))
    assert rows(cut, VALIDATION) == list(range(-10, 0))
    assert len(rows(cut, TEST)) == 10


def test_a_fraction_of_zero_makes_no_split() -> None:
    cut = cut_splits(raw(["a"] * 100), section(validation_fraction=0, test_fraction=0))
    assert list(cut.splits) == [TRAIN]
    assert cut.notes == ()


def test_fewer_training_rows_are_drawn_and_reported() -> None:
    cut = cut_splits(raw(["a", "b"] * 100), section(max_samples=40), "label")
    assert Counter(cut.train["label"].to_pylist()) == {"a": 20, "b": 20}
    assert any("40 of 140" in note.why for note in cut.notes)


def test_rare_classes_are_drawn_from_too() -> None:
    cut = cut_splits(raw(list(range(100))), section(max_samples=10), "label")
    assert cut.train.num_rows == 10


def test_training_rows_keep_their_order() -> None:
    found = rows(cut_splits(raw(["a"] * 100), section()), TRAIN)
    assert found == sorted(found)


def test_rows_without_a_class_do_not_hinder() -> None:
    cut = cut_splits(raw([None] * 50 + ["a"] * 50), section(), "label")
    assert sum(table.num_rows for table in cut.splits.values()) == 100


def test_nothing_left_to_train_on_is_an_error_with_a_way_out() -> None:
    with pytest.raises(DataError, match="test_fraction"):
        cut_splits(raw(["a", "a"]), section(test_fraction=0.99, validation_fraction=0.99))
