"""Images that several annotations are of: one entry each, in one split."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.data.boxes.load import load_boxes
from engine.data.raw import RawData
from engine.errors import DataError

BOX, OTHER = [4, 5, 20, 10], [1, 2, 3, 4]


def image(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 20)).save(root / name)


def coco(root: Path, name: str, images: Sequence[str], box: Sequence[int] = BOX) -> None:
    """Write COCO's annotations: an object in each image."""
    record = {
        "images": [{"id": i, "file_name": file} for i, file in enumerate(images)],
        "annotations": [{"image_id": i, "category_id": 1, "bbox": box} for i in range(len(images))],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(record))


def voc(root: Path, name: str, filename: str, left: int = 5) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    sides = f"<xmin>{left}</xmin><ymin>6</ymin><xmax>24</xmax><ymax>15</ymax>"
    (root / name).write_text(
        f"<annotation><filename>{filename}</filename><object><name>cat</name>"
        f"<bndbox>{sides}</bndbox></object></annotation>"
    )


def read(root: Path) -> tuple[dict[str, Any], dict[str, int | None]]:
    """Return the number of objects of each image by split, and the reasons of the notes."""
    raw: RawData = load_boxes(ImageBoxesConfig(path=str(root)))
    rows = {
        split: [(str(Path(row["image"]).relative_to(root)), len(row["objects"]))
                for row in table.to_pylist()]
        for split, table in raw.splits.items()
    }  # fmt: skip
    return rows, {note.why.partition(" (the first")[0]: note.rows for note in raw.notes}


def test_an_entry_of_another_split_does_not_take_an_image_of_the_same_name(tmp_path: Path) -> None:
    image(tmp_path, "train/1.jpg", "train/2.jpg", "valid/1.jpg")
    for split in ("train", "valid"):
        coco(tmp_path, f"{split}/_annotations.coco.json", ["1.jpg", "2.jpg"])
    rows, notes = read(tmp_path)
    assert rows == {
        "train": [("train/1.jpg", 1), ("train/2.jpg", 1)],
        "validation": [("valid/1.jpg", 1)],
    }
    why = "an image that is annotated for train and for validation is used for train alone"
    assert notes == {why: 1}


def test_held_out_images_are_not_trained_on_where_a_file_has_all(tmp_path: Path) -> None:
    image(tmp_path, "1.jpg", "2.jpg")
    coco(tmp_path, "all.json", ["1.jpg", "2.jpg"])
    coco(tmp_path, "train.json", ["1.jpg"])
    coco(tmp_path, "val.json", ["2.jpg"])
    rows, notes = read(tmp_path)
    assert rows == {"train": [("1.jpg", 1)], "validation": [("2.jpg", 1)]}
    assert len(notes) == 2


def test_objects_of_several_files_are_put_together(tmp_path: Path) -> None:
    image(tmp_path, "1.jpg")
    coco(tmp_path, "cats.json", ["1.jpg"])
    coco(tmp_path, "more.json", ["1.jpg"], OTHER)
    rows, notes = read(tmp_path)
    assert rows == {"train": [("1.jpg", 2)]}
    assert notes == {"an image is annotated more than once: the objects are put together": 1}


def test_images_of_one_name_without_a_folder_are_counted(tmp_path: Path) -> None:
    image(tmp_path, "a/1.jpg", "b/1.jpg", "a/2.jpg")
    coco(tmp_path, "all.json", ["1.jpg", "1.jpg", "2.jpg"])
    rows, notes = read(tmp_path)
    assert rows == {"train": [("a/2.jpg", 1)]}
    assert notes == {"an image is called as others, and its folder is not stated": 2}
    (tmp_path / "a/2.jpg").unlink()
    with pytest.raises(DataError, match="its folder is not stated"):
        read(tmp_path)


def test_folders_of_images_name_the_split_where_annotations_name_none(tmp_path: Path) -> None:
    image(tmp_path / "coco", "images/train/1.jpg", "images/val/train_2.jpg")
    coco(tmp_path / "coco", "annotations.json", ["train/1.jpg", "val/train_2.jpg"])
    image(tmp_path / "voc", "images/train/1.jpg", "images/val/train_2.jpg")
    voc(tmp_path / "voc", "Annotations/1.xml", "1.jpg")
    voc(tmp_path / "voc", "Annotations/train_2.xml", "train_2.jpg")  # a picture of a train
    expected = {"train": [("images/train/1.jpg", 1)], "validation": [("images/val/train_2.jpg", 1)]}
    assert read(tmp_path / "coco")[0] == expected
    assert read(tmp_path / "voc")[0] == expected


def test_an_xml_file_is_of_the_image_that_is_called_as_it(tmp_path: Path) -> None:
    image(tmp_path, "1.jpg", "2.jpg", "b.jpg")
    voc(tmp_path, "1.xml", "1.jpg")
    voc(tmp_path, "2.xml", "1.jpg", 9)  # a copy that was renamed
    voc(tmp_path, "3.xml", "b.jpg")
    rows, notes = read(tmp_path)
    assert rows == {"train": [("1.jpg", 1), ("2.jpg", 1), ("b.jpg", 1)]}
    assert notes == {"an XML file states the filename of another image: its own name counts": 1}


def test_lists_of_voc_may_have_folders_and_suffixes(tmp_path: Path) -> None:
    image(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    for name in "123":
        voc(tmp_path, f"Annotations/{name}.xml", f"{name}.jpg")
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\ufeff1.jpg\n3")
    (lists / "val.txt").write_text("JPEGImages\\2.jpg\n")
    assert read(tmp_path)[0] == {
        "train": [("1.jpg", 1), ("3.jpg", 1)],
        "validation": [("2.jpg", 1)],
    }


def test_images_that_no_annotation_names_are_counted(tmp_path: Path) -> None:
    image(tmp_path, "images/1.jpg", "images/2.jpg", "masks/1.png")
    coco(tmp_path, "all.json", ["1.jpg"])
    assert read(tmp_path)[1] == {"an image that no annotation names is not used": 1}


@pytest.mark.parametrize("other", ["notes.json", "project.xml"])
def test_a_file_of_another_purpose_does_not_hide_the_annotations(
    tmp_path: Path, other: str
) -> None:
    """Label Studio writes notes.json beside YOLO's text files."""
    image(tmp_path, "images/1.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/1.txt").write_text("0 0.5 0.5 1 1")
    text = '{"categories": [], "info": {}}' if other.endswith("json") else "<project/>"
    (tmp_path / other).write_text(text)
    assert read(tmp_path)[0] == {"train": [("images/1.jpg", 1)]}
    (tmp_path / "labels/1.txt").unlink()
    with pytest.raises(DataError, match=r"no (JSON|XML) file"):
        read(tmp_path)


@pytest.mark.parametrize("ids", [(1, 1.0), (1, "1"), (2.0, 2)])
def test_ids_of_coco_are_equal_however_numbers_are_written(tmp_path: Path, ids: Any) -> None:
    image(tmp_path, "0.jpg", "1.jpg")
    of_image, of_object = ids
    record = {
        "images": [{"id": 0.0, "file_name": "0.jpg"}, {"id": of_image, "file_name": "1.jpg"}],
        "annotations": [{"image_id": of_object, "category_id": of_object, "bbox": BOX}],
        "categories": [{"id": of_image, "name": "cat"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(record))
    assert read(tmp_path) == ({"train": [("0.jpg", 0), ("1.jpg", 1)]}, {})


def test_names_with_accents_are_equal_in_both_forms_of_unicode(tmp_path: Path) -> None:
    name = "caf\u00e9.jpg"
    image(tmp_path, unicodedata.normalize("NFD", name))  # as a Mac has written it
    coco(tmp_path, "all.json", [name])
    assert [count for _, count in read(tmp_path)[0]["train"]] == [1]
