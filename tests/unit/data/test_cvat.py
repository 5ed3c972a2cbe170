"""CVAT's own XML: boxes, outlines and brushed masks, against what was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.config.data.image_masks import ImageMasksConfig
from engine.data.mask_files import load_masks
from engine.data.raw import RawData
from engine.errors import DataError
from tests.unit.data.test_drawn_boxes import load, read
from tests.unit.data.test_drawn_masks import decoded

WIDTH, HEIGHT = 40, 30
BOX = '<box label="cat" occluded="0" xtl="3" ytl="4" xbr="13" ybr="24" z_order="0"/>'
TURNED = '<box label="cat" xtl="10" ytl="10" xbr="30" ybr="20" rotation="90.0"/>'
POLYGON = '<polygon label="dog" points="20.00,5.00;35.00,5.00;35.00,15.00;20.00,15.00"/>'
ELLIPSE = '<ellipse label="dog" cx="20" cy="15" rx="10" ry="5"/>'
BRUSHED = '<mask label="dog" rle="1, 2, 2, 1" left="7" top="2" width="3" height="2"/>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in "ab":
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images" / f"{name}.jpg")
    return tmp_path


def write(folder: Path, of_a: str, of_b: str = BOX, more: str = "") -> None:
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    images = "".join(
        f'<image id="{number}" name="{name}.jpg" {more} {size}>{marks}</image>'
        for number, (name, marks) in enumerate({"a": of_a, "b": of_b}.items())
    )
    head = "<version>1.1</version><meta><task><name>pets</name></task></meta>"
    (folder / "annotations.xml").write_text(
        f'<?xml version="1.0" encoding="utf-8"?><annotations>{head}{images}</annotations>'
    )


def counts(raw: RawData) -> dict[str, int | None]:
    return {note.why.partition(" (")[0]: note.rows for note in raw.notes}


@pytest.mark.parametrize(("mark", "box", "is_outline"), [
    (BOX, ("cat", 3, 4, 10, 20), False),
    (TURNED, ("cat", 15, 5, 10, 20), False),
    (TURNED.replace("90.0", "0.0"), ("cat", 10, 10, 20, 10), False),
    (POLYGON, ("dog", 20, 5, 15, 10), True),
    (ELLIPSE, ("dog", 10, 10, 20, 10), True),
    (BRUSHED, ("dog", 7, 2, 3, 2), True),
])  # fmt: skip
def test_a_shape_is_a_box(
    folder: Path, mark: str, box: tuple[str, int, int, int, int], is_outline: bool
) -> None:
    write(folder, mark)
    raw = load(folder, "image_boxes")
    assert read(raw) == {"a.jpg": [box], "b.jpg": [("cat", 3, 4, 10, 20)]}
    assert counts(raw).get("an outline is read as the box around it") == (is_outline or None)


def test_an_image_without_shapes_has_no_objects(folder: Path) -> None:
    write(folder, "")
    assert read(load(folder, "image_boxes"))["a.jpg"] == []


@pytest.mark.parametrize("mark", [
    '<points label="cat" points="1,2"/>', '<polyline label="cat" points="1,2;3,4;5,6"/>',
    '<box label="cat" xtl="1" ytl="2" xbr="x" ybr="4"/>', BOX.replace("cat", " "),
    '<mask label="dog" rle="1, 2" left="7" top="2" width="3" height="2"/>',
])  # fmt: skip
def test_marks_without_a_class_or_an_area_are_counted(folder: Path, mark: str) -> None:
    write(folder, f"{mark}{BOX}")
    raw = load(folder, "image_boxes")
    assert read(raw)["a.jpg"] == [("cat", 3, 4, 10, 20)]
    kind = mark[1:].partition(" ")[0]
    assert counts(raw)[f"a mark of the kind {kind} without a class or an area"] == 1


def test_a_subset_of_a_project_is_a_split(folder: Path) -> None:
    write(folder, BOX, more='subset="Validation"')
    text = (folder / "annotations.xml").read_text().replace("Validation", "Train", 1)
    (folder / "annotations.xml").write_text(text)
    splits = load(folder, "image_boxes").splits
    assert [splits[name].num_rows for name in ("train", "validation")] == [1, 1]


def test_tracks_of_a_video_are_refused_with_what_to_export(folder: Path) -> None:
    track = '<track id="0" label="cat"><box frame="0" xtl="1" ytl="1" xbr="5" ybr="5"/></track>'
    (folder / "annotations.xml").write_text(f"<annotations>{track}</annotations>")
    with pytest.raises(DataError, match=r"CVAT for images 1\.1"):
        load(folder, "image_boxes")


def test_masks_are_drawn_from_shapes(folder: Path) -> None:
    write(folder, f"{POLYGON}{BRUSHED}", ELLIPSE + TURNED.replace("90.0", "45"))
    raw = load_masks(ImageMasksConfig(path=str(folder)))
    first, second = (decoded(row["mask"]) for row in raw.train.to_pylist())
    whole = np.zeros((HEIGHT, WIDTH), np.uint8)
    whole[5:15, 20:35] = 2  # edges lie between pixels, as in masks that CVAT exports
    whole[2, 8:10] = 2  # rows of the box: 0 1 1, 0 0 1
    whole[3, 9] = 2
    np.testing.assert_array_equal(first, whole)
    assert second[15, 20] == 1, "the box lies over the ellipse"
    assert second[15, 11] == 2, "inside the ellipse, outside of the turned box"
    assert second[8, 13] == 1, "a corner of the turned box, above the ellipse on the left"
    assert not second[8, 27], "which turns clockwise"
