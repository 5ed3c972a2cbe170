"""Shapes of VIA, the VGG Image Annotator, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.config.data.image_masks import ImageMasksConfig
from engine.data.boxes.load import load_boxes
from engine.data.mask_files import load_masks, mask_classes
from engine.data.raw import RawData

WIDTH, HEIGHT = 40, 30
RECT = {"name": "rect", "x": 4, "y": 3, "width": 11, "height": 9}
POLYGON = {"name": "polygon", "all_points_x": [18, 37, 30], "all_points_y": [14, 14, 25]}
ELLIPSE = {"name": "ellipse", "cx": 10, "cy": 20, "rx": 8, "ry": 2, "theta": math.pi / 2}
SHAPES = [(RECT, "cat"), (POLYGON, "dog"), (ELLIPSE, "dog")]


def write(root: Path, form: str, shapes: list[tuple[Any, str]], attribute: str = "type") -> None:
    names = ["a b.jpg", "2.jpg"]
    for name in names:
        Image.new("RGB", (WIDTH, HEIGHT)).save(root / name)
    if form == "csv":
        with (root / "via_region_data.csv").open("w", newline="") as file:
            table = csv.writer(file)
            file.write("#filename,file_size,file_attributes,region_count,region_id,")
            file.write("region_shape_attributes,region_attributes\n")
            for name in names:
                for number, (shape, label) in enumerate(shapes):
                    more = [json.dumps(shape), json.dumps({attribute: label} if label else {})]
                    table.writerow([name, 99, "{}", len(shapes), number, *more])
        return
    entries = {
        f"{name}99": {"filename": name, "size": 99, "file_attributes": {}, "regions": [
            {"shape_attributes": shape, "region_attributes": {attribute: label} if label else {}}
            for shape, label in shapes
        ]}
        for name in names
    }  # fmt: skip
    project = {"_via_settings": {}, "_via_img_metadata": entries}
    (root / "via.json").write_text(json.dumps(project if form == "project" else entries))


def counted(raw: RawData) -> dict[str, int | None]:
    return {note.why.partition(" (the first")[0]: note.rows for note in raw.notes}


def drawn(raw: RawData) -> Any:
    return np.asarray(Image.open(io.BytesIO(raw.train["mask"][0].as_py()["bytes"])))


@pytest.mark.parametrize("form", ["json", "project", "csv"])
def test_boxes_and_masks_of_each_form_are_the_same(tmp_path: Path, form: str) -> None:
    write(tmp_path, form, SHAPES)
    boxes = load_boxes(ImageBoxesConfig(path=str(tmp_path)))
    assert boxes.train.num_rows == 2
    own = boxes.train["objects"].to_pylist()[0]
    assert [one["label"] for one in own] == ["cat", "dog", "dog"]
    assert own[0]["box"] == [4, 3, 15, 12]
    assert own[1]["box"] == [18, 14, 37, 25]
    assert own[2]["box"] == pytest.approx([8, 12, 12, 28]), "theta turns the ellipse, in radians"
    assert counted(boxes) == {"an outline is read as the box around it": 4}
    masks = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert mask_classes(masks.train) == ["0=background", "1=cat", "2=dog"]
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[3:12, 4:15] = 1
    triangle = coco.frPyObjects([[18, 14, 37, 14, 30, 25]], HEIGHT, WIDTH)
    expected[coco.decode(triangle)[..., 0] > 0] = 2
    turned = drawn(masks) != expected
    assert (drawn(masks)[turned] == 2).all()
    assert turned.sum() == pytest.approx(math.pi * 8 * 2, rel=0.1), "the area of the ellipse"


def test_outlines_without_a_class_are_called_alike(tmp_path: Path) -> None:
    write(tmp_path, "json", [(RECT, ""), (POLYGON, "")])
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert mask_classes(raw.train) == ["0=background", "1=object"]
    assert counted(raw)["an outline has no name, as all others, and is called object"] == 4


def test_outlines_without_a_class_beside_others_are_left_out_and_counted(tmp_path: Path) -> None:
    write(tmp_path, "csv", [(RECT, ""), (POLYGON, "dog"), ({"name": "point", "cx": 1}, "dog")])
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert mask_classes(raw.train) == ["0=background", "1=dog"]
    assert not drawn(raw)[3:12, 4:15].any()
    assert counted(raw)["an outline has no name"] == 2


@pytest.mark.parametrize("side", [1e9, math.nan, math.inf])
def test_outlines_that_cannot_be_drawn_are_counted(tmp_path: Path, side: float) -> None:
    far = POLYGON | {"all_points_x": [0, side, 10]}
    write(tmp_path, "json", [(far, "dog"), (RECT, "cat")])
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert counted(raw)["an outline is not of numbers, or reaches far beyond its image"] == 2
    assert (drawn(raw)[3:12, 4:15] == 1).all()
