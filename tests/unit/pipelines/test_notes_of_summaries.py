"""Notes that follow from the rows that are used: splits of few rows, classes for missing labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine.checks.classes import missing_labels
from engine.checks.examined import Doubt, Examined
from engine.config.run_config import RunConfig
from engine.pipelines.create import create_pipeline
from engine.pipelines.summary_notes import with_usual_notes
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note
from engine.text.classes.missing import missing_class


def notes(path: Path, **data: Any) -> list[Note]:
    pipeline = create_pipeline(RunConfig.parse({
        "task": {"kind": "tabular_classification"}, "model": {"kind": "mlp"},
        "data": {"kind": "file", "path": str(path)} | data,
    }))  # fmt: skip
    raw = pipeline.load()
    return list(pipeline.summary(raw, pipeline.learn(raw)).notes)


def written(path: Path, labels: list[Any], values: list[float] | None = None) -> Path:
    values = values or [i / 7 for i in range(len(labels))]
    pd.DataFrame({"size": values, "label": labels}).to_csv(path / "rows.csv", index=False)
    return path / "rows.csv"


def test_few_rows_are_counted_after_duplicates_have_left_the_split(tmp_path: Path) -> None:
    values = [float(i // 2) for i in range(300)]
    path = written(tmp_path, ["a", "a", "b", "b"] * 75, values)
    few = [n for n in notes(path, duplicates="train", test_fraction=0.12) if "uncertain" in n.why]
    for note in few:
        assert f"has only {note.rows} row" in note.why
    assert any((note.rows or 0) < 15 and note.change == "data.test_fraction" for note in few)


def test_many_rows_are_no_doubt(tmp_path: Path) -> None:
    assert not [n for n in notes(written(tmp_path, ["a", "b"] * 150)) if "uncertain" in n.why]


def test_a_split_of_the_source_has_no_fraction_to_change() -> None:
    [note] = with_usual_notes(DataSummary("file", {"train": 100, "validation": 15})).notes
    assert note.why == "metrics on validation are uncertain: it has only 15 rows"
    assert not note.change


@pytest.mark.parametrize(("names", "code"), [
    (["-1", "0", "1", "2"], "-1"), (["0", "1", "-1"], "-1"), (["1", "2", "3", "99"], "99"),
    (["-1", "1"], ""), (["-2", "-1", "0", "1"], ""), (["-1", "0", "2"], ""),
    (["-1", "a", "b"], ""), (["98", "97", "99"], ""), (["00", "01", "-1"], ""),
    ([str(i) for i in range(100)], ""), (["neutral", "-", "entailment"], "-"), (["-", "a"], ""),
    (["-", "?", "a", "b"], ""), (["+", "-", "none"], ""),
])  # fmt: skip
def test_a_class_that_may_mean_a_missing_label(names: list[str], code: str) -> None:
    assert missing_class(names) == code


def test_a_class_of_missing_labels_is_noted_and_its_rows_are_found(tmp_path: Path) -> None:
    path = written(tmp_path, [0, 1, 2, -1, 1, 0, 2, 1, 0, 2] * 30)
    [note] = [note for note in notes(path) if "missing" in note.why]
    assert note.why == "-1 is a class beside 0, 1, 2, though it may mean that the label is missing"
    assert (note.column, note.rows) == ("label", 20)
    pipeline = create_pipeline(RunConfig.parse({
        "task": {"kind": "tabular_classification"}, "model": {"kind": "mlp"},
        "data": {"kind": "file", "path": str(path)},
    }))  # fmt: skip
    raw = pipeline.load()
    [doubt] = missing_labels(Examined(raw.splits, pipeline.column_roles(raw)))
    assert isinstance(doubt, Doubt)
    assert doubt.remedies == ("drop rows",)
    assert set(raw.train["label"].take(doubt.rows["train"]).to_pylist()) == {"-1"}


def texts(path: Path, labels: list[Any], **task: Any) -> tuple[Any, list[Note]]:
    """What was learned of texts with labels in a file and their tests, and the notes on them."""
    for name, some in (("train", labels), ("test", [-1] * 4 + labels[:40])):
        rows = {"text": [f"a text {i}" for i in range(len(some))], "label": some}
        pd.DataFrame(rows).to_parquet(path / f"{name}.parquet")
    pipeline = create_pipeline(RunConfig.parse({
        "task": {"kind": "text_classification", **task},
        "model": {"kind": "transformer", "vocab_size": 200},
        "data": {"kind": "file", "path": str(path)},
    }))  # fmt: skip
    raw = pipeline.load()
    return pipeline.learn(raw), list(raw.notes)


def test_minus_one_beside_three_classes_is_no_class_of_texts(tmp_path: Path) -> None:
    """SNLI and MNLI write it where annotators did not agree, and in tests without labels."""
    fitted, found = texts(tmp_path, [0, 1, 2, -1, 1, 0, 2, 1, 0, 2] * 30)
    assert fitted.classes == ["0", "1", "2"]
    assert {note.rows for note in found if "no label" in note.why} == {30, 8}


@pytest.mark.parametrize(("labels", "task", "classes"), [
    ([-1, 0, 1] * 60, {}, ["-1", "0", "1"]),
    ([-1, 0, 1, 2] * 60, {"class_names": {"-1": "bad"}}, ["bad", "0", "1", "2"]),
])  # fmt: skip
def test_minus_one_stays_a_class_where_it_may_be_one(
    tmp_path: Path, labels: list[int], task: dict[str, Any], classes: list[str]
) -> None:
    fitted, _ = texts(tmp_path, labels, **task)
    assert sorted(fitted.classes) == sorted(classes)
