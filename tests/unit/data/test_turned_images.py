"""Boxes and masks of images that a camera has turned, by tools that pass over its note."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.config.run_config import RunConfig
from engine.pipelines.create import create_pipeline
from engine.tasks.create import create_task
from engine.tasks.semantic_segmentation import SemanticSegmentation

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


@pytest.mark.parametrize("orientation", [1, 5, 6, 7, 8])
@pytest.mark.parametrize("shown", [True, False])
def test_masks_of_stored_pixels_are_turned_like_the_image(
    tmp_path: Path, orientation: int, shown: bool
) -> None:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[TOP:BOTTOM, LEFT:RIGHT] = 200
    exif = Image.Exif()
    exif[0x0112] = orientation
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    Image.fromarray(pixels).save(tmp_path / "images" / "1.png", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "images" / "1.png"))
    stored = upright if shown else Image.fromarray(pixels)
    stored.point(lambda value: value // 200).save(tmp_path / "masks" / "1.png")
    config = RunConfig.parse({
        "task": {"kind": "semantic_segmentation", "image_size": 64}, "model": {"kind": "unet"},
        "data": {"kind": "image_masks", "path": str(tmp_path), "validation_fraction": 0,
                 "test_fraction": 0},
    })  # fmt: skip
    pipeline = create_pipeline(config)
    raw = pipeline.load()
    fitted = pipeline.fit(raw)
    task = create_task(config)
    assert isinstance(task, SemanticSegmentation)
    targets = task.targets(raw.train, fitted)
    assert targets is not None
    expected = upright.resize((64, 64), Image.Resampling.NEAREST)
    assert (targets(0) == np.asarray(expected) // 200).all()
    notes = [note.rows for note in raw.notes if "are turned like them" in note.why]
    assert notes == ([1] if orientation != 1 and not shown else [])
