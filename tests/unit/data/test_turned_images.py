"""Boxes on images that a camera has turned, as tools write them that pass over its note."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.config.run_config import RunConfig
from engine.pipelines.create import create_pipeline

WIDTH, HEIGHT = 40, 20
LEFT, TOP, RIGHT, BOTTOM = 4, 5, 14, 8


def load(root: Path, orientation: int, stated: tuple[int, int]) -> tuple[list[float], list[str]]:
    """Return the box of the only image, which is white there, and the reasons of the notes."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[TOP:BOTTOM, LEFT:RIGHT] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(root / "1.png", exif=exif)
    (root / "a.json").write_text(json.dumps({
        "images": [{"id": 1, "file_name": "1.png", "width": stated[0], "height": stated[1]}],
        "annotations": [{"image_id": 1, "category_id": 1,
                         "bbox": [LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP]}],
        "categories": [{"id": 1, "name": "cat"}],
    }))  # fmt: skip
    raw = create_pipeline(RunConfig.parse({
        "task": {"kind": "object_detection"}, "model": {"kind": "centernet"},
        "data": ImageBoxesConfig(path=str(root), validation_fraction=0,
                                 test_fraction=0).model_dump(),
    })).load()  # fmt: skip
    [[one]] = raw.train["objects"].to_pylist()
    return one["box"], [note.why.partition(" (the first")[0] for note in raw.notes if note.rows]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_on_stored_pixels_are_turned_like_the_image(tmp_path: Path, orientation: int) -> None:
    box, notes = load(tmp_path, orientation, (WIDTH, HEIGHT))
    shown = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "1.png")))
    down, across = np.nonzero(shown)
    assert box == [across.min(), down.min(), across.max() + 1, down.max() + 1]
    assert notes == ["boxes of an image that its camera has turned are turned like it"]


def test_boxes_on_the_image_as_it_is_shown_are_kept(tmp_path: Path) -> None:
    assert load(tmp_path, 6, (HEIGHT, WIDTH)) == ([LEFT, TOP, RIGHT, BOTTOM], [])


def test_images_of_another_size_that_no_camera_has_turned_are_a_doubt(tmp_path: Path) -> None:
    box, notes = load(tmp_path, 1, (HEIGHT, WIDTH))
    assert box == [LEFT, TOP, RIGHT, BOTTOM]
    assert notes == ["an image has another size than its annotations state: its boxes may be wrong"]
