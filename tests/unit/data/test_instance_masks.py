"""Folders with a mask for each object of an image."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.config.data.image_masks import ImageMasksConfig
from engine.data.boxes.load import load_boxes
from engine.data.mask_files import load_masks, mask_classes
from engine.data.raw import RawData
from engine.errors import DataError

PLACES = ((2, 1, 8, 5), (12, 4, 19, 9))
"""Left, top, right and bottom of two objects."""
UNION = np.zeros((10, 20), np.uint8)
for left, top, right, bottom in PLACES:
    UNION[top:bottom, left:right] = 1


def object_mask(box: tuple[int, int, int, int], size: tuple[int, int] = (20, 10)) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def nuclei(root: Path) -> None:
    """As the Data Science Bowl of 2018 has them."""
    for name in ("ab12", "cd34"):
        save(Image.new("RGB", (20, 10)), root / "stage1_train" / name / "images" / f"{name}.png")
        for number, box in enumerate(PLACES):
            path = root / "stage1_train" / name / "masks" / f"{name[::-1]}{number}.png"
            save(object_mask(box), path)
    save(Image.new("RGB", (20, 10)), root / "stage1_test" / "ef" / "images" / "ef.png")


def folders(root: Path) -> None:
    for name in ("ab12", "cd34"):
        save(Image.new("RGB", (20, 10)), root / "images" / f"{name}.png")
        for number, box in enumerate(PLACES):
            save(object_mask(box), root / "masks" / name / f"{number}.png")


def counted(raw: RawData) -> dict[str, int | None]:
    return {note.why.partition(" (the first")[0]: note.rows for note in raw.notes}


@pytest.mark.parametrize("write", [nuclei, folders])
def test_masks_of_single_objects_are_united_and_have_boxes(tmp_path: Path, write: Any) -> None:
    write(tmp_path)
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert mask_classes(raw.train) == ["0=background", "1=object"]
    assert [Path(name).stem for name in raw.train["image"].to_pylist()] == ["ab12", "cd34"]
    for record in raw.train["mask"].to_pylist():
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(record["bytes"]))), UNION)
    why = "masks of single objects are united for each image; the rest is background"
    assert counted(raw) == {why: 4}
    boxes = load_boxes(ImageBoxesConfig(path=str(tmp_path)))
    expected = [{"label": "object", "box": [float(side) for side in box]} for box in PLACES]
    assert boxes.train["objects"].to_pylist() == [expected, expected]
    assert counted(boxes)["a mask is read as the box around it, of the class object"] == 4


def test_images_without_masks_are_counted(tmp_path: Path) -> None:
    nuclei(tmp_path)
    [skip] = load_masks(ImageMasksConfig(path=str(tmp_path))).skips
    assert (skip.reason, skip.count) == ("there is no mask of its name", 1)
    raw = load_boxes(ImageBoxesConfig(path=str(tmp_path)))
    assert counted(raw)["an image has no masks of objects"] == 1


def test_masks_that_are_not_of_one_object_are_counted(tmp_path: Path) -> None:
    folders(tmp_path)
    own = tmp_path / "masks" / "ab12"
    save(object_mask((0, 0, 0, 0)), own / "3.png")
    save(object_mask(PLACES[0], (12, 10)), own / "4.png")
    several = object_mask(PLACES[0])
    several.putpixel((15, 8), 100)
    save(several, own / "5.png")
    save(object_mask(PLACES[1]), own / "6.png")
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert counted(raw) == {
        "masks of single objects are united for each image; the rest is background": 5,
        "the mask of an object is empty": 1,
        "the mask has another size than others of its image": 1,
        "the mask of one object has more than two values": 1,
        "an image has objects that overlap": 1,
    }


def test_a_mask_an_image_is_not_taken_for_objects(tmp_path: Path) -> None:
    save(Image.new("RGB", (20, 10)), tmp_path / "images" / "a.png")
    save(object_mask(PLACES[0]), tmp_path / "masks" / "a.png")
    with pytest.raises(DataError, match="has no annotations"):
        load_boxes(ImageBoxesConfig(path=str(tmp_path)))


def test_objects_of_pascal_voc_are_no_images_without_a_mask(tmp_path: Path) -> None:
    for name in ("1", "2"):
        save(Image.new("RGB", (20, 10)), tmp_path / "JPEGImages" / f"{name}.jpg")
        for folder in ("SegmentationClass", "SegmentationObject"):
            save(object_mask(PLACES[0]), tmp_path / folder / f"{name}.png")
    save(Image.new("RGB", (20, 10)), tmp_path / "JPEGImages" / "3.jpg")
    raw = load_masks(ImageMasksConfig(path=str(tmp_path)))
    assert [Path(path).parent.name for path in raw.train["mask"].to_pylist()] == [
        "SegmentationClass", "SegmentationClass",
    ]  # fmt: skip
    assert {skip.reason: skip.count for skip in raw.skips} == {
        "there is no mask of its name": 1,
        "a mask of another kind than that of the classes": 2,
    }
