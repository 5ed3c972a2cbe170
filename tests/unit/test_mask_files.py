"""Folders of images and masks: what belongs together, and what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.config.data.image_masks import ImageMasksConfig
from engine.data.mask_files import load_masks, mask_classes
from engine.data.raw import Skip
from engine.errors import DataError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(root / name)


def pairs(root: Path, split: str = "train") -> list[tuple[str, str]]:
    table = load_masks(ImageMasksConfig(path=str(root))).splits[split]
    return [
        (str(Path(row["image"]).relative_to(root)), str(Path(row["mask"]).relative_to(root)))
        for row in table.to_pylist()
    ]


def test_images_and_masks_belong_together_by_split_folder_and_name(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "images/train/a/1.jpg", "images/train/b/1.jpg", "images/val/1.jpg",
        "masks/train/a/1.png", "masks/train/b/1_mask.png", "masks/val/1.png",
    )  # fmt: skip
    assert pairs(tmp_path) == [
        ("images/train/a/1.jpg", "masks/train/a/1.png"),
        ("images/train/b/1.jpg", "masks/train/b/1_mask.png"),
    ]
    assert pairs(tmp_path, "validation") == [("images/val/1.jpg", "masks/val/1.png")]


def test_splits_may_lie_above_images_and_masks(tmp_path: Path) -> None:
    touch(tmp_path, "train/images/1.png", "train/labels/1.png", "test/images/1.png",
          "test/labels/1.png")  # fmt: skip
    assert pairs(tmp_path) == [("train/images/1.png", "train/labels/1.png")]
    assert pairs(tmp_path, "test") == [("test/images/1.png", "test/labels/1.png")]


def test_images_without_masks_and_masks_without_images_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.jpg", "images/2.jpg", "masks/1.png", "masks/3.png")
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert set(raw.skips) == {
        Skip("there is no mask of its name", 1, "images/2.jpg"),
        Skip("a mask without image", 1, "masks/3.png"),
    }


@pytest.mark.parametrize(
    ("name", "text", "classes"),
    [
        ("classes.txt", "sky\nroad\n", ["0=sky", "1=road"]),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nroad:255,0,16::\n", ["#ff0010=road"]),
    ],
)
def test_names_of_classes_are_found_beside_the_masks(
    tmp_path: Path, name: str, text: str, classes: list[str]
) -> None:
    touch(tmp_path, "images/1.jpg", "masks/1.png")
    (tmp_path / name).write_text(text)
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert mask_classes(raw.train) == classes


def test_a_folder_without_masks_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.jpg")
    with pytest.raises(DataError, match="no folder of masks"):
        load_masks(ImageMasksConfig(path=str(tmp_path)))


def test_lists_of_pascal_voc_choose_the_splits(tmp_path: Path) -> None:
    touch(tmp_path, *(f"VOC/JPEGImages/{name}.jpg" for name in "abcd"))
    touch(tmp_path, *(f"VOC/SegmentationClass/{name}.png" for name in "abc"))
    lists = tmp_path / "VOC/ImageSets/Segmentation"
    lists.mkdir(parents=True)
    for name, images in (("train", "a"), ("val", "b"), ("trainval", "a\nb")):
        (lists / f"{name}.txt").write_text(images + "\n")
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert {split: table.num_rows for split, table in raw.splits.items()} == {
        "train": 1, "validation": 1
    }  # fmt: skip
    assert {skip.reason: skip.count for skip in raw.skips} == {
        "there is no mask of its name": 1,
        "an image is in no list of ImageSets/Segmentation": 1,
    }


@pytest.mark.parametrize(
    ("name", "text", "classes"),
    [
        ("class_names.txt", "__ignore__\n_background_\ncar\n", ["0=_background_", "1=car"]),
        ("train/_classes.csv", "Pixel Value, Class\n0, background\n2, car\n",
         ["0=background", "2=car"]),
        ("class_dict.csv", "name,r,g,b\nSky,128,128,128\nCar, 64, 0, 128\n",
         ["#808080=Sky", "#400080=Car"]),
        ("objectInfo150.txt", "Idx\tRatio\tTrain\tVal\tName\n1\t0.15\t9\t2\twall\n"
         "2\t0.11\t9\t2\tbuilding, edifice\n", ["0=other", "1=wall", "2=building"]),
    ],
)  # fmt: skip
def test_classes_are_those_that_tools_write_beside_the_masks(
    tmp_path: Path, name: str, text: str, classes: list[str]
) -> None:
    """labelme, Roboflow, CamVid, ADE20K; whose masks lie in ``train_labels`` beside ``train``."""
    touch(tmp_path, "train/1.png", "train_labels/1_L.png", "val/2.png", "val_labels/2_L.png")
    (tmp_path / name).write_text(text)
    assert pairs(tmp_path) == [("train/1.png", "train_labels/1_L.png")]
    assert pairs(tmp_path, "validation") == [("val/2.png", "val_labels/2_L.png")]
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert mask_classes(raw.train) == classes
