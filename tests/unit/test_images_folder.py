"""A folder of images becomes tables of paths and classes."""

from __future__ import annotations

import os
import re
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


LAYOUTS = {
    "a second training folder": (
        ["train/a/1", "train/b/2", "train_extra/a/3", "test/a/4"],
        {"train": ["1 a", "3 a", "2 b"], "test": ["4 a"]},
    ),
    "two validation folders": (
        ["train/a/1", "train/b/2", "val/a/3", "dev/b/4"],
        {"train": ["1 a", "2 b"], "validation": ["3 a", "4 b"]},
    ),
    "splits below the classes": (
        ["a/train/1", "a/test/2", "b/train/3", "b/Test/4", "b/valid/deep/5"],
        {"train": ["1 a", "3 b"], "validation": ["5 b"], "test": ["2 a", "4 b"]},
    ),
    "a test folder in each class": (
        ["a/1", "a/test/2", "b/old/3", "b/test/4"],
        {"train": ["1 a", "3 b"], "test": ["2 a", "4 b"]},
    ),
    "a test folder beside the classes": (
        ["a/1", "b/2", "test/a/3", "test/b/4"],
        {"train": ["1 a", "2 b"], "test": ["3 a", "4 b"]},
    ),
    "a training folder of another name": (
        ["photos/a/1", "photos/b/2", "test/a/3", "test/b/4"],
        {"train": ["1 a", "2 b"], "test": ["3 a", "4 b"]},
    ),
    "the folder of an archive": (
        ["shapes/train/a/1", "shapes/train/b/2", "shapes/test/a/3", "__MACOSX/shapes/.1"],
        {"train": ["1 a", "2 b"], "test": ["3 a"]},
    ),
    "folders that repeat their own names": (
        ["training_set/training_set/a/1", "training_set/training_set/b/2", "test_set/test_set/a/3"],
        {"train": ["1 a", "2 b"], "test": ["3 a"]},
    ),
    "a training folder alone": (["train/a/1", "train/b/2"], {"train": ["1 a", "2 b"]}),
    "classes with words of splits": (
        ["train station/north/1", "bus stop/2", "test bench/3"],
        {"train": ["2 bus stop", "3 test bench", "1 train station"]},
    ),
    "a class called test with folders of its own": (
        ["meters/1", "test/old/2", "test/new/3"],
        {"train": ["1 meters", "3 test", "2 test"]},
    ),
    "odd names": (
        ["train/St. Red v1.0/1", "train/blue - no. 2/2", "test/blue - no. 2/3"],
        {"train": ["1 St. Red v1.0", "2 blue - no. 2"], "test": ["3 blue - no. 2"]},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_image_has_the_split_and_class_of_its_folders(tmp_path: Path, layout: str) -> None:
    files, expected = LAYOUTS[layout]
    put(*(tmp_path / f"{file}.png" for file in files))
    raw = load_data(ImageFolderConfig(path=str(tmp_path)))
    found = {
        split: [f"{Path(row['image']).stem} {row['label']}" for row in table.to_pylist()]
        for split, table in raw.splits.items()
    }
    assert found == expected
    assert not raw.skips


@pytest.mark.parametrize(
    ("files", "skip"),
    [
        (["train/a/1", "train/b/2", "test/3", "test/4"], ("it lies in no folder of a class", 2)),
        (["a/1", "b/2", "3"], ("it lies in no folder of a class", 1)),
        (["train/a/1", "train/b/2", "test/a/3", "more/a/4"], ("the folder more names no split", 1)),
        (["a/train/1", "a/test/2", "b/train/3", "b/x/4"], ("the folder b/x names no split", 1)),
    ],
)
def test_images_without_a_split_or_class_are_counted(
    tmp_path: Path, files: list[str], skip: tuple[str, int]
) -> None:
    put(*(tmp_path / f"{file}.png" for file in files))
    raw = load_data(ImageFolderConfig(path=str(tmp_path)))
    assert [(found.reason, found.count) for found in raw.skips] == [skip]
    assert sum(table.num_rows for table in raw.splits.values()) == len(files) - skip[1]


@pytest.mark.parametrize(
    ("files", "note"),
    [
        (["train/a/1", "train2/b/2"], "the folders train, train2 are together read as train"),
        (["cats/1", "test/2"], "not read as splits, but as classes: test"),
        (
            ["wild/cat/1", "wild/dog/2", "home/cat/3"],
            "classes are the first folders, such as wild; "
            "those in them (cat, dog) are not told apart",
        ),
        (["photos/cats/1", "photos/dogs/2"], "only the folder photos has images: it is read"),
    ],
)
def test_a_doubtful_layout_is_noted(tmp_path: Path, files: list[str], note: str) -> None:
    put(*(tmp_path / f"{file}.png" for file in files))
    assert [found.why for found in load_data(ImageFolderConfig(path=str(tmp_path))).notes] == [note]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["train/steam/1", "train/diesel/2", "bus/3"], "'train' can be a split or a class"),
        (["test/a/1", "test/b/2", "val/a/3"], "none to train on"),
        (["a/train/1", "a/test/2", "b/3"], "'a' has folders of splits, 'b' has none"),
    ],
)
def test_a_layout_that_cannot_be_determined_is_a_question(
    tmp_path: Path, files: list[str], said: str
) -> None:
    put(*(tmp_path / f"{file}.png" for file in files))
    with pytest.raises(DataError, match=said):
        load_data(ImageFolderConfig(path=str(tmp_path)))


@pytest.mark.parametrize("folder", ["", "train", "images/train", "images"])
def test_a_list_beside_the_images_is_named(tmp_path: Path, folder: str) -> None:
    for name in ("train", "test") if folder == "images" else ("",):
        put(tmp_path / folder / name / "1.png", tmp_path / folder / name / "2.png")
    (tmp_path / "metadata.csv").write_text("file_name,label\n1.png,a\n2.png,b\n")
    with pytest.raises(DataError, match=r"a list, metadata\.csv.*data\.kind=file data\.path="):
        load_data(ImageFolderConfig(path=str(tmp_path)))


def test_several_lists_are_read_from_their_folder(tmp_path: Path) -> None:
    for split in ("train", "test"):
        put(tmp_path / split / "1.png")
        (tmp_path / split / "metadata.csv").write_text("file_name,label\n1.png,a\n")
    with pytest.raises(DataError, match=rf"data\.path={re.escape(str(tmp_path))}\."):
        load_data(ImageFolderConfig(path=str(tmp_path)))


def test_the_splits_of_a_single_class_are_no_classes(tmp_path: Path) -> None:
    put(tmp_path / "cats" / "train" / "1.png", tmp_path / "cats" / "test" / "2.png")
    raw = load_data(ImageFolderConfig(path=str(tmp_path)))
    assert {split: table["label"].to_pylist() for split, table in raw.splits.items()} == {
        "train": ["cats"],
        "test": ["cats"],
    }


def test_a_link_that_leads_back_up_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "data" / "cats" / "1.png", tmp_path / "elsewhere" / "2.png")
    (tmp_path / "data" / "cats" / "again").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "dogs").symlink_to(tmp_path / "elsewhere")
    raw = load_data(ImageFolderConfig(path=str(tmp_path / "data")))
    assert raw.train["label"].to_pylist() == ["cats", "dogs"]


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
