"""Splits by groups and by time: no group on both sides, the past before the future."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.config.data.builtin import BuiltinConfig
from engine.config.run_config import RunConfig
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.data.splits import cut_splits
from engine.errors import ConfigError, DataError
from engine.pipelines.create import create_pipeline

SPLITS = (TRAIN, VALIDATION, TEST)


def cut(columns: dict[str, Any], stratify: str | None = None, **fields: Any) -> RawData:
    return cut_splits(RawData({TRAIN: pa.table(columns)}), BuiltinConfig(**fields), stratify)


def column(raw: RawData, split: str, name: str) -> list[Any]:
    return raw.splits[split][name].to_pylist()


def patients(count: int, seed: int = 0) -> dict[str, Any]:
    """Rows of patients, from one row to forty for each."""
    sizes = np.random.default_rng(seed).integers(1, 40, count)
    names = np.repeat([f"p{i}" for i in range(count)], sizes)
    return {"row": np.arange(len(names)), "patient": np.random.default_rng(1).permutation(names)}


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_two_splits_and_every_row_in_one(seed: int) -> None:
    data = patients(100, seed)
    raw = cut(data, group="patient", split_seed=seed)
    groups = [set(column(raw, split, "patient")) for split in SPLITS]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    rows = [row for split in SPLITS for row in column(raw, split, "row")]
    assert sorted(rows) == list(range(len(data["row"])))
    for split in (VALIDATION, TEST):
        assert raw.splits[split].num_rows / len(rows) == pytest.approx(0.15, abs=0.01)


def test_other_seeds_put_other_groups_into_the_test_split() -> None:
    data = {"row": range(500), "shop": [row // 10 for row in range(500)]}
    found = {tuple(column(cut(data, group="shop", split_seed=s), TEST, "shop")) for s in (0, 0, 1)}
    assert len(found) == 2


def test_groups_are_split_with_the_shares_of_the_classes() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(120), 20)
    rare = (groups % 4 == 0) & (random.random(len(groups)) < 0.8)  # in a quarter of the groups
    data = {"row": np.arange(len(groups)), "g": groups, "y": np.where(rare, "yes", "no")}
    raw = cut(data, "y", group="g")
    for split in SPLITS:
        counts = Counter(column(raw, split, "y"))
        assert counts["yes"] / counts.total() == pytest.approx(rare.mean(), abs=0.02)


def test_many_small_groups_are_split_by_the_fractions() -> None:
    groups = np.arange(60_000) // 3
    raw = cut({"row": np.arange(60_000), "g": groups}, group="g", test_fraction=0.3)
    assert raw.splits[TEST].num_rows / 60_000 == pytest.approx(0.3, abs=0.01)
    assert not set(column(raw, TEST, "g")) & set(column(raw, TRAIN, "g"))


def test_three_groups_make_three_splits_and_two_are_too_few() -> None:
    raw = cut({"g": ["a"] * 50 + ["b"] * 30 + ["c"] * 20}, group="g")
    assert sorted({*column(raw, split, "g")}.pop() for split in SPLITS) == ["a", "b", "c"]
    with pytest.raises(DataError, match="has 2 groups, too few for 3 splits"):
        cut({"g": ["a"] * 50 + ["b"] * 50}, group="g")


def test_rows_without_a_group_are_groups_of_their_own_and_counted() -> None:
    raw = cut({"g": [None, "?"] * 20 + ["a", "b"] * 30}, group="g")
    assert sum(raw.splits[split].num_rows for split in SPLITS) == 100
    assert [note.rows for note in raw.notes if "group of its own" in note.why] == [40]


def test_groups_in_two_splits_of_a_source_are_left_out_of_training_and_counted() -> None:
    train = pa.table({"g": ["a", "a", "b", "c", "d", "e"] * 10})
    test = pa.table({"g": ["b", "b", "x"]})
    raw = cut_splits(RawData({TRAIN: train, TEST: test}), BuiltinConfig(group="g"))
    assert column(raw, TEST, "g") == ["b", "b", "x"]
    assert "b" not in column(raw, TRAIN, "g") + column(raw, VALIDATION, "g")
    [skip] = raw.skips
    assert (skip.count, skip.example) == (10, "'b' in train")


@pytest.mark.parametrize(
    "written", ["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y %H:%M"], ids=["iso", "slashes", "dots"]
)
def test_training_is_before_validation_and_that_before_test(written: str) -> None:
    days = np.datetime64("2021-01-01", "D") + np.random.default_rng(0).permutation(1000)
    texts = [day.item().strftime(written) for day in days]
    raw = cut({"day": days, "when": texts}, time="when")
    past, middle, future = (column(raw, split, "day") for split in SPLITS)
    assert max(past) < min(middle)
    assert max(middle) < min(future)
    assert (len(past), len(middle), len(future)) == (700, 150, 150)
    notes = [note for note in raw.notes if note.column == "when"]
    assert str(min(future)) in notes[0].why
    assert notes[0].rows == 150


def test_rows_of_the_same_time_stay_together() -> None:
    years = np.repeat(np.arange(2000, 2010), 37)
    raw = cut({"year": np.random.default_rng(0).permutation(years)}, time="year")
    assert sorted(set(column(raw, TEST, "year"))) == [2008, 2009]  # 74 rows are nearer than 37
    assert not set(column(raw, TRAIN, "year")) & set(column(raw, VALIDATION, "year"))


def test_rows_without_a_time_are_left_out_and_counted() -> None:
    raw = cut({"t": [None, *(float(i) for i in range(99))]}, time="t")
    assert sum(raw.splits[split].num_rows for split in SPLITS) == 99
    assert [(skip.count, skip.example) for skip in raw.skips] == [(1, "row 1 of train")]


def test_a_test_split_of_the_source_that_is_not_later_is_a_doubt() -> None:
    made = {TRAIN: pa.table({"t": range(100)}), TEST: pa.table({"t": range(90, 110)})}
    raw = cut_splits(RawData(made), BuiltinConfig(time="t", validation_fraction=0))
    [note] = [note for note in raw.notes if note.kind == "doubt" and "not before" in note.why]
    assert note.rows == 10


def test_time_and_groups_together_keep_groups_of_later_splits_out_of_training() -> None:
    data = {"t": range(1000), "g": [i % 300 if i < 800 else i % 100 for i in range(1000)]}
    raw = cut(data, time="t", group="g")
    assert not set(column(raw, TEST, "g")) & set(column(raw, TRAIN, "g"))
    assert max(column(raw, TRAIN, "t")) < min(column(raw, VALIDATION, "t"))


def test_a_column_of_neither_dates_nor_numbers_is_no_time() -> None:
    with pytest.raises(DataError, match="neither dates nor numbers"):
        cut({"t": ["red", "green", "blue"] * 40}, time="t")
    with pytest.raises(DataError, match="did you mean time"):
        cut({"time": range(9)}, time="tim")


def test_a_task_with_splits_of_its_own_takes_no_groups() -> None:
    values = {
        "data": {"kind": "file", "path": "x.csv", "time": "when"},
        "task": {"kind": "forecasting"}, "model": {"kind": "dlinear"},
    }  # fmt: skip
    with pytest.raises(ConfigError, match="splits of its own"):
        RunConfig.parse(values)


def test_the_column_of_groups_is_no_input(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    lines = [f"{i % 7},{i % 3},{'ab'[i % 2]}" for i in range(210)]
    path.write_text("\n".join(["shop,size,kind", *lines]))
    config = RunConfig.parse({
        "data": {"kind": "file", "path": str(path), "group": "shop"},
        "task": {"kind": "tabular_classification"}, "model": {"kind": "mlp"},
    })  # fmt: skip
    pipeline = create_pipeline(config)
    raw = pipeline.load()
    fitted = pipeline.fit(raw)
    assert pipeline.inputs(fitted) == ("size",)
    summary = pipeline.summarize(raw, fitted)
    assert [note.read_as for note in summary.notes if note.column == "shop"][:2] == [
        TEST,
        VALIDATION,
    ]


def test_texts_are_split_by_the_time_of_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    order = np.random.default_rng(0).permutation(200)
    days = [np.datetime64("2024-01-01") + int(day) for day in order]
    lines = [f"text number {i},{'ab'[i % 2]},{day}" for i, day in zip(order, days, strict=True)]
    path.write_text("\n".join(["text,label,when", *lines]))
    config = RunConfig.parse({
        "data": {"kind": "file", "path": str(path), "time": "when"},
        "task": {"kind": "text_classification"}, "model": {"kind": "transformer"},
    })  # fmt: skip
    raw = create_pipeline(config).load()
    assert sorted(map(str, column(raw, TEST, "when"))) == sorted(map(str, sorted(days)[-30:]))


def test_each_row_is_in_the_test_split_of_one_fold_and_classes_keep_their_shares() -> None:
    labels = ["a"] * 150 + ["b"] * 50 + ["once"]
    data = {"row": range(201), "y": np.random.default_rng(0).permutation(labels)}
    found = [cut(data, "y", folds=5, fold=fold) for fold in range(1, 6)]
    tests = [row for raw in found for row in column(raw, TEST, "row")]
    assert sorted(tests) == list(range(201))
    for raw in found:
        counts = Counter(column(raw, TEST, "y"))
        assert (counts["a"], counts["b"]) == (30, 10)
        everything = [row for split in SPLITS for row in column(raw, split, "row")]
        assert sorted(everything) == list(range(201))


def test_folds_keep_groups_whole() -> None:
    data = patients(60)
    tests = [set(column(cut(data, folds=4, fold=f, group="patient"), TEST, "patient"))
             for f in range(1, 5)]  # fmt: skip
    assert sum(map(len, tests)) == 60
    assert len(set.union(*tests)) == 60
    raw = cut(data, folds=4, fold=2, group="patient")
    assert not set(column(raw, VALIDATION, "patient")) & set(column(raw, TRAIN, "patient"))


def test_a_source_with_a_test_split_is_not_cut_into_folds() -> None:
    made = RawData({TRAIN: pa.table({"t": range(100)}), TEST: pa.table({"t": range(20)})})
    with pytest.raises(DataError, match="test split of 20 rows already"):
        cut_splits(made, BuiltinConfig(folds=5))


def test_a_fold_beyond_the_last_is_a_problem_of_its_field() -> None:
    values = {"data": {"kind": "builtin", "name": "diabetes", "folds": 3, "fold": 4},
              "task": {"kind": "tabular_regression"}, "model": {"kind": "mlp"}}  # fmt: skip
    with pytest.raises(ConfigError, match="no fold 4"):
        RunConfig.parse(values)
