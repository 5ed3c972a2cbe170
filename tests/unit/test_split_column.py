"""A column that names the splits is no input: its rows are split by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.config.data.file import FileConfig
from engine.config.run_config import RunConfig
from engine.data.images import decode
from engine.data.load import load_texts
from engine.data.raw import RawData
from engine.pipelines.create import create_pipeline
from engine.vision.files.column import images_of

WHOLE = {"kind": "file", "validation_fraction": 0.0, "test_fraction": 0.0}


def _load(path: Path, **data: Any) -> RawData:
    return load_texts(FileConfig.model_validate(WHOLE | {"path": str(path)} | data))


def _file(path: Path, splits: list[str], name: str = "split") -> Path:
    rows = "".join(f"text {i},{'ab'[i % 2]},{split}\n" for i, split in enumerate(splits))
    path.write_text(f"text,label,{name}\n{rows}")
    return path


@pytest.mark.parametrize("name", ["split", "Set", "part", "partition"])
def test_rows_are_split_by_a_column_that_names_splits(tmp_path: Path, name: str) -> None:
    raw = _load(_file(tmp_path / "a.csv", ["train", "Test", "train", "val", "test"], name))
    assert {split: table["text"].to_pylist() for split, table in raw.splits.items()} == {
        "train": ["text 0", "text 2"], "validation": ["text 3"], "test": ["text 1", "text 4"],
    }  # fmt: skip
    assert raw.train.column_names == ["text", "label"]
    assert [note.why for note in raw.notes] == [
        f"the splits are those in the column {name}: 2 for train, 1 for validation, 2 for test"
    ]


@pytest.mark.parametrize(
    "splits", [["train", "test", "other"], ["train", "test", ""], ["train"] * 3, ["test", "val"]]
)
def test_a_column_with_other_values_stays(tmp_path: Path, splits: list[str]) -> None:
    raw = _load(_file(tmp_path / "a.csv", splits))
    assert list(raw.splits) == ["train"]
    assert [value or "" for value in raw.train["split"].to_pylist()] == splits


def test_files_of_splits_and_the_user_go_before_the_column(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.csv", ["train", "test", "train"])
    assert _load(path, test_path=str(path)).train.num_rows == 3
    assert _load(path, columns={"split": "text"}).train.num_rows == 3


def test_images_of_several_lists_are_split_with_their_folders(tmp_path: Path) -> None:
    for shade, name in ((10, "a"), (200, "b")):
        (tmp_path / name).mkdir()
        rows = ""
        for i, split in enumerate(("train", "test", "train")):
            Image.fromarray(np.full((4, 4), shade + i, np.uint8)).save(tmp_path / name / f"{i}.png")
            rows += f"{i}.png,{'xy'[i % 2 if split == 'train' else 0]}{name},{split}\n"
        (tmp_path / name / "list.csv").write_text(f"filename,label,split\n{rows}")
    config = {"task": {"kind": "image_classification"}, "model": {"kind": "cnn"}}
    data = WHOLE | {"path": str(tmp_path)}
    raw = create_pipeline(RunConfig.parse({**config, "data": data})).load()
    shades = {
        split: [int(decode(one, 4, 1).max()) for one in images_of(table, "filename")]
        for split, table in raw.splits.items()
    }
    assert shades == {"train": [10, 12, 200, 202], "test": [11, 201]}
