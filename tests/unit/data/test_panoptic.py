"""COCO's panoptic annotations: objects with boxes, and masks of classes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.config.data.image_masks import ImageMasksConfig
from engine.data.boxes.load import load_boxes
from engine.data.boxes.records import box_classes
from engine.data.mask_files import load_masks, mask_classes
from engine.data.raw import RawData

WIDTH, HEIGHT = 20, 10
IDS = {1: 7, 2: 256 * 300 + 5, 3: 3}
"""Numbers of segments: red + 256 · green + 65,536 · blue."""
CATEGORIES = [
    {"id": 184, "name": "tree", "isthing": 0},
    {"id": 3, "name": "car", "isthing": 1},
    {"id": 9, "name": "boat", "isthing": 1},
]
KINDS = {1: 184, 2: 3, 3: 3}


def places() -> Any:
    found = np.zeros((HEIGHT, WIDTH), np.int64)
    found[0:3], found[4:9, 2:8], found[5:8, 12:19] = 1, 2, 3
    return found


def segment(number: int, **more: Any) -> dict[str, Any]:
    rows, columns = (places() == number).nonzero()
    sides = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    top, left, bottom, right = map(int, sides)
    box = [left, top, right - left, bottom - top]
    return {"id": IDS[number], "category_id": KINDS[number], "iscrowd": 0, "bbox": box} | more


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, name in (("train2017", "1"), ("train2017", "2"), ("val2017", "3")):
        photograph = tmp_path / split / f"{name}.png"
        colours = tmp_path / "annotations" / f"panoptic_{split}" / f"{name}.png"
        for path in (photograph, colours):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), "white").save(photograph)
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for number, code in IDS.items():
            pixels[places() == number] = [code % 256, code // 256 % 256, code // 256**2]
        Image.fromarray(pixels).save(colours)
    for split, names in (("train2017", "12"), ("val2017", "3")):
        write(tmp_path, split, names)
    return tmp_path


def write(root: Path, split: str, names: str, **more: Any) -> None:
    record = {
        "images": [{"id": int(n), "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT}
                   for n in names],
        "annotations": [
            {"image_id": int(n), "file_name": f"{n}.png",
             "segments_info": [segment(1), segment(2), segment(3, **more)]}
            for n in names
        ],
        "categories": CATEGORIES,
    }  # fmt: skip
    (root / "annotations" / f"panoptic_{split}.json").write_text(json.dumps(record))


def counted(raw: RawData) -> dict[str, int | None]:
    return {note.why.partition(" (the first")[0]: note.rows for note in raw.notes}


def test_segments_are_drawn_as_masks_of_their_classes(folder: Path) -> None:
    raw = load_masks(ImageMasksConfig(path=str(folder)))
    assert {split: table.num_rows for split, table in raw.splits.items()} == {
        "train": 2, "validation": 1,
    }  # fmt: skip
    assert mask_classes(raw.train) == ["0=tree", "1=car"]
    row = raw.train.to_pylist()[0]
    assert Path(row["image"]) == folder / "train2017" / "1.png"
    expected = np.array([255, 0, 1, 1], np.uint8)[places()]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(row["mask"]["bytes"]))), expected)
    why = "masks have the classes of panoptic segments; pixels without a segment are ignored"
    assert counted(raw) == {why: 3}


def test_segments_of_single_objects_have_boxes(folder: Path) -> None:
    write(folder, "val2017", "3", iscrowd=1)
    raw = load_boxes(ImageBoxesConfig(path=str(folder)))
    assert box_classes(raw.train) == ["car", "boat"]
    assert raw.train["objects"].to_pylist()[0] == [
        {"label": "car", "box": [2.0, 4.0, 8.0, 9.0]},
        {"label": "car", "box": [12.0, 5.0, 19.0, 8.0]},
    ]
    assert len(raw.splits["validation"]["objects"][0].as_py()) == 1
    assert counted(raw) == {
        "a segment is of a surface such as sky, not of an object": 3,
        "a region is a crowd, not a single object": 1,
    }


def test_segments_that_annotations_do_not_name_are_ignored_and_counted(folder: Path) -> None:
    file = folder / "annotations" / "panoptic_train2017.json"
    record = json.loads(file.read_text())
    first, second = record["annotations"]
    del first["segments_info"][2]
    second["segments_info"][1]["category_id"] = 77
    own = folder / "annotations" / "panoptic_val2017" / "3.png"
    own.rename(own.with_name("4.png"))
    file.write_text(json.dumps(record))
    raw = load_masks(ImageMasksConfig(path=str(folder)))
    mask = np.asarray(Image.open(io.BytesIO(raw.train["mask"][0].as_py()["bytes"])))
    assert np.array_equal(mask, np.array([255, 0, 1, 255], np.uint8)[places()])
    assert counted(raw) == {
        "masks have the classes of panoptic segments; pixels without a segment are ignored": 2,
        "a segment's category or number is unknown": 1,
        "a segment in the PNG file is not in the annotations": 2,
        "the PNG file of an image's segments is missing": 1,
    }
