"""The splits of YOLO's data sets: of data.yaml, of lists of images, of folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from engine.data.boxes.records import Annotations
from engine.data.boxes.yolo import read_yolo

LINE = "0 0.5 0.5 1 1\n"


def data_set(root: Path, texts: dict[str, str], images: list[str]) -> Annotations:
    """Read images with an object each beside other files."""
    labels = {
        str(Path(name.replace("images", "labels", 1)).with_suffix(".txt")): LINE for name in images
    }
    files = {root / name: text for name, text in (labels | texts).items()}
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in images:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(root / name)
    return read_yolo(root, [path.relative_to(root) for path in files], [*map(Path, images)])


def splits(found: Annotations) -> dict[str, str]:
    """The images of each split, by their names without suffix."""
    return {
        split: " ".join(path.stem for path, _ in images)
        for split, images in found.images.items()
        if images
    }


FLAT = ["images/1.png", "images/2.png", "images/3.png"]
IN_SETS = ["images/a/1.png", "images/a/2.png", "images/b/3.png"]
SPLIT = {"train": "1 2", "validation": "3"}


@pytest.mark.parametrize(
    ("images", "texts"),
    [
        (FLAT, {"data.yaml": "train: t.txt\nval: ./v.txt",
                "t.txt": "./images/1.png\n./images/2.png", "v.txt": "./images/3.png"}),
        (FLAT, {"autosplit_train.txt": "./images/1.png\n./images/2.png\n",
                "autosplit_val.txt": "./images/3.png"}),
        (FLAT, {"train.txt": "C:\\x\\images\\1.png\r\nC:\\x\\images\\2.png\r\n",
                "val.txt": "\ndata/images/3.png"}),
        (FLAT, {"train.txt": "1.png\n2.png\n3.png", "val.txt": "3.png"}),  # not trained on
        (IN_SETS, {"data.yaml": "train: [images/a]\nval: images/b"}),
        (IN_SETS, {"data.yaml": "path: ../x\ntrain: images\nval: images/b"}),
        (IN_SETS, {"data.yaml": "train: C:\\data\\images\\a\nval: ../images/b/"}),
    ],
)  # fmt: skip
def test_splits_are_those_that_files_name(
    tmp_path: Path, images: list[str], texts: dict[str, str]
) -> None:
    found = data_set(tmp_path, texts, images)
    assert splits(found) == SPLIT
    assert all(len(own) == 1 for images in found.images.values() for _, own in images)
    assert not found.tally.notes()


def test_images_in_none_of_the_named_splits_are_counted(tmp_path: Path) -> None:
    found = data_set(tmp_path, {"data.yaml": "train: images/a"}, IN_SETS)
    assert splits(found) == {"train": "1 2"}
    assert [note.rows for note in found.tally.notes()] == [1]


def test_folders_name_the_splits_where_the_named_ones_are_elsewhere(tmp_path: Path) -> None:
    images = ["images/train/1.png", "images/train/2.png", "images/val/3.png"]
    found = data_set(tmp_path, {"data.yaml": "train: coco/train2017\nval: train"}, images)
    assert splits(found) == SPLIT


def test_labels_without_their_image_are_not_those_of_another_split(tmp_path: Path) -> None:
    images = ["images/train/1.png", "images/train/2.png", "images/val/3.png"]
    found = data_set(tmp_path, {"labels/val/2.txt": "1 0.5 0.5 0.5 0.5\n"}, images)
    assert splits(found) == SPLIT
    assert {one["label"] for _, own in found.images["train"] for one in own} == {"0"}
    [note] = found.tally.notes()
    assert note.why.startswith("an image of the annotations is missing (the first: labels/val/2")


@pytest.mark.parametrize("numbers", [2, 3])
def test_key_points_are_not_taken_for_an_outline(tmp_path: Path, numbers: int) -> None:
    point = " 0.1 0.2 2"[: 4 * numbers]
    texts = {"data.yaml": f"kpt_shape: [2, {numbers}]", "labels/1.txt": f"0 .5 .5 .5 .5{point * 2}"}
    found = data_set(tmp_path, texts, ["images/1.png"])
    [(_, [one])] = found.images["train"]
    assert one["box"] == [2, 2, 6, 6]
    assert [note.rows for note in found.tally.notes()] == [1]


def test_files_with_a_byte_order_mark_lose_no_object(tmp_path: Path) -> None:
    texts = {"labels/1.txt": "\ufeff" + LINE, "classes.txt": "\ufeffcat\n"}
    [(_, [one])] = data_set(tmp_path, texts, ["images/1.png"]).images["train"]
    assert one["label"] == "cat"


def test_names_are_those_of_the_file_that_describes_the_data(tmp_path: Path) -> None:
    texts = {"args.yaml": "names: [x]", "coco.yaml": "names: [person]", "bad.yaml": "a: [",
             "data.yaml": "names: [cat]", "README.roboflow.txt": "Exported"}  # fmt: skip
    found = data_set(tmp_path, texts, FLAT)
    assert found.classes == ["cat"]
    assert not found.tally.notes()


def test_a_list_is_longer_than_the_annotations_of_an_image(tmp_path: Path) -> None:
    many = "".join(f"../elsewhere/{number:060}.png\n" for number in range(70_000))
    texts = {"train.txt": "images/1.png\nimages/2.png\n" + many, "val.txt": "images/3.png"}
    assert len(texts["train.txt"]) > 5_000_000
    assert splits(data_set(tmp_path, texts, FLAT)) == SPLIT
