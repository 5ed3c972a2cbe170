"""A folder of images becomes tables of paths and classes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from engine.config.data.image_folder import ImageFolderConfig
from engine.data.load import load_data
from engine.errors import DataError


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(path)


def test_folders_are_classes(tmp_path: Path) -> None:
    put(
        tmp_path / "cats" / "1.png",
        tmp_path / "dogs" / "deep" / "2.JPG",
        tmp_path / "dogs" / "3.bmp",
    )
    raw = load_data(ImageFolderConfig(path=str(tmp_path)))
    assert raw.train["label"].to_pylist() == ["cats", "dogs", "dogs"]
    assert [Path(path).name for path in raw.train["image"].to_pylist()] == [
        "1.png",
        "3.bmp",
        "2.JPG",
    ]


def test_folders_above_the_classes_name_splits(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        put(tmp_path / split / "cats" / "1.png", tmp_path / split / "dogs" / "1.png")
    raw = load_data(ImageFolderConfig(path=str(tmp_path)))
    assert {split: table.num_rows for split, table in raw.splits.items()} == {
        "train": 2,
        "validation": 2,
        "test": 2,
    }


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    put(tmp_path / "train" / "1.png", tmp_path / "test" / "1.png")
    raw = load_data(ImageFolderConfig(path=str(tmp_path)))
    assert sorted(raw.train["label"].to_pylist()) == ["test", "train"]


def test_other_files_are_counted(tmp_path: Path) -> None:
    put(tmp_path / "cats" / "1.png")
    (tmp_path / "cats" / "notes.txt").write_text("no image")
    (tmp_path / "cats" / ".hidden.png").write_text("")
    raw = load_data(ImageFolderConfig(path=str(tmp_path)))
    assert [(skip.reason, skip.count) for skip in raw.skips] == [(".txt is not an image", 1)]


def test_a_name_that_is_not_utf8_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "cats" / "1.png")
    strange = os.fsencode(tmp_path / "cats") + b"/\xff.png"
    try:
        with open(strange, "wb") as file:  # noqa: PTH123 — a name of bytes
            file.write(b"")
    except OSError:
        pytest.skip("this file system knows only UTF-8")
    raw = load_data(ImageFolderConfig(path=str(tmp_path)))
    assert raw.train.num_rows == 1
    assert "not UTF-8" in raw.skips[0].reason


@pytest.mark.parametrize(
    ("path", "said"), [("", "no folder is chosen"), ("nowhere", "There is no folder 'nowhere'")]
)
def test_a_missing_folder_says_so(path: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load_data(ImageFolderConfig(path=path))


def test_images_without_folders_of_classes_say_what_is_needed(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    with pytest.raises(DataError, match="a folder for each class"):
        load_data(ImageFolderConfig(path=str(tmp_path)))
