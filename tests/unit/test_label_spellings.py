"""Classes of texts and images keep their writing, and mean the same in every split."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.config.run_config import RunConfig
from engine.data.raw import TEST, RawData, Skip
from engine.pipelines.create import create_pipeline
from engine.text.classes.labels import labels_of
from engine.text.classes.spellings import codes_of

TEXT = {
    "task": {"kind": "text_classification"},
    "model": {"kind": "transformer", "hidden_size": 32, "vocab_size": 300, "num_hidden_layers": 1},
}
IMAGE = {"task": {"kind": "image_classification"}, "model": {"kind": "cnn"}}


def _load(path: Path, test: Path | None = None, config: dict[str, Any] = TEXT) -> RawData:
    data = {"kind": "file", "path": str(path), "validation_fraction": 0.0, "test_fraction": 0.0}
    data |= {"test_path": str(test)} if test else {}
    return create_pipeline(RunConfig.parse({**config, "data": data})).load()


def _labels(raw: RawData, split: str = "train") -> list[Any]:
    return labels_of(raw.splits[split], "label")


def _file(path: Path, labels: list[Any]) -> Path:
    """Texts with labels, which CSV has as they are printed."""
    rows = [{"text": f"text {i} it is", "label": label} for i, label in enumerate(labels)]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        lines = [f'"{row["text"]}","{str(row["label"]).replace(chr(34), chr(34) * 2)}"\n'
                 for row in rows]  # fmt: skip
        path.write_text("text,label\n" + "".join(lines))
    return path


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_names_that_look_like_nothing_are_classes_and_nothing_is_missing(
    tmp_path: Path, suffix: str
) -> None:
    names = ["NA", "null", "None", "nan", "", "01", "1", "0.50", "True"]
    raw = _load(_file(tmp_path / f"a.{suffix}", names * 4))
    assert _labels(raw) == [name for name in names if name] * 4
    assert raw.skips == (Skip("label is empty", 4, "train row 5"),)


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("train", "test", "read"),
    [
        ([0, 1], [0.0, 1.0], ["0", "1"]),
        (["True", "False"], ["true", "FALSE"], ["True", "False"]),
        (["Cat", "dog"], ["cat ", "Dog"], ["Cat", "dog"]),
        (["01", "1"], ["01", "1"], ["01", "1"]),
    ],
)
def test_other_spellings_in_the_test_split_are_the_classes_of_training(
    tmp_path: Path, suffix: str, train: list[Any], test: list[Any], read: list[str]
) -> None:
    raw = _load(
        _file(tmp_path / "train.csv", train * 8), _file(tmp_path / f"test.{suffix}", test * 3)
    )
    assert _labels(raw) == [str(name) for name in train] * 8
    assert _labels(raw, TEST) == read * 3
    assert not raw.skips


def test_a_class_read_in_another_spelling_is_told(tmp_path: Path) -> None:
    raw = _load(_file(tmp_path / "a.csv", [0, 1] * 8), _file(tmp_path / "b.csv", [0.0, 1.0, 2.0]))
    assert (
        "2 values of label in test are read in the spelling of other training rows: 0.0 as 0, "
        "1.0 as 1" in [note.why for note in raw.notes]
    )
    assert raw.skips == (Skip("its class is not in the training rows", 1, "test row 3"),)


def test_shards_with_and_without_decimals_have_the_same_classes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    _file(tmp_path / "data/a.csv", [0, 1] * 4)
    _file(tmp_path / "data/b.csv", [0.0, 1.0] * 4)
    raw = _load(tmp_path / "data")
    assert _labels(raw) == ["0", "1"] * 8
    # Where others have parts, a number may be a version.
    versions = ["1", "1.0", "1.10", "1.1"]
    assert _labels(_load(_file(tmp_path / "c.csv", versions * 3))) == versions * 3


def test_training_classes_called_true_in_two_ways_are_two(tmp_path: Path) -> None:
    names = ["True", "true", "False"]
    assert _labels(_load(_file(tmp_path / "a.csv", names * 4))) == names * 4


def test_training_classes_that_differ_in_capitals_stay_and_are_told(tmp_path: Path) -> None:
    raw = _load(_file(tmp_path / "a.csv", ["Cat", "cat", "dog"] * 4))
    assert set(_labels(raw)) == {"Cat", "cat", "dog"}
    assert "classes that differ in capitals or blanks alone: Cat and cat" in [
        note.why for note in raw.notes
    ]


@pytest.mark.parametrize(
    "written", [json.dumps, str, lambda names: f"[{' '.join(map(repr, names))}]"]
)
def test_lists_of_labels_written_as_text_are_lists(tmp_path: Path, written: Any) -> None:
    rows = [["old", "long"], [], ["old"], []]
    raw = _load(_file(tmp_path / "a.csv", list(map(written, rows)) * 3))
    assert _labels(raw) == rows * 3
    assert "the texts in label are lists: a row can have several labels" in [
        note.why for note in raw.notes
    ]


def test_a_single_label_among_lists_written_as_text_is_one(tmp_path: Path) -> None:
    raw = _load(_file(tmp_path / "a.csv", ["['a', 'b']", "['b']", "a", ""] * 3))
    assert _labels(raw) == [["a", "b"], ["b"], ["a"]] * 3
    assert raw.skips == (Skip("label is empty", 3, "train row 4"),)


def test_one_label_and_a_list_of_one_are_the_same_in_other_splits(tmp_path: Path) -> None:
    one = _file(tmp_path / "one.jsonl", ["a", "b"] * 4)
    lists = _file(tmp_path / "lists.jsonl", [["a", "b"], ["b"], [], ["A"]])
    raw = _load(one, lists)
    assert _labels(raw, TEST) == ["b", "a"]
    assert raw.skips == (Skip("it has not one label as training rows", 2, "test row 1"),)
    assert _labels(_load(lists, one), TEST) == [["a"], ["b"]] * 4


def test_runs_that_wrote_their_classes_otherwise_can_resume() -> None:
    assert codes_of(["1.50", "2.50"], ["1.5", "2.5"]) == [0, 1]
    assert codes_of(["True", "False", "True"], ["false", "true"]) == [1, 0, 1]


def test_classes_in_a_list_of_images_keep_their_writing(tmp_path: Path) -> None:
    names = ["01", "1", "True", "NA", "nan", "None", "null", "1.50"]
    for i in range(16):
        Image.fromarray(np.full((4, 4), i, np.uint8)).save(tmp_path / f"{i}.png")
    lines = "".join(f"{i}.png,{names[i % 8]}\n" for i in range(16))
    (tmp_path / "labels.csv").write_text(f"filename,label\n{lines}")
    raw = _load(tmp_path / "labels.csv", config=IMAGE)
    assert Counter(_labels(raw)) == dict.fromkeys(names, 2)
