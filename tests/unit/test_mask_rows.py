"""Masks and their classes: which values are classes, which are ignored, and what is left out."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from engine.config.data.file import FileConfig
from engine.config.tasks.semantic_segmentation import SemanticSegmentationConfig
from engine.data.image_record import IMAGE_RECORD
from engine.data.raw import TRAIN, RawData
from engine.errors import DataError
from engine.vision.annotated.mask_rows import classes_noted, usable_masks, written

Pixels = np.ndarray[Any, Any]


def record(pixels: Pixels, name: str) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": name}


def usable(masks: list[Pixels | bytes], **task: Any) -> RawData:
    """Training rows with these masks; the images are black and of 4 × 2 pixels."""
    cells = [
        {"bytes": mask, "path": f"m{i}"} if isinstance(mask, bytes) else record(mask, f"m{i}")
        for i, mask in enumerate(masks)
    ]
    images = [record(np.zeros((2, 4), np.uint8), f"i{i}.png") for i in range(len(masks))]
    table = pa.table(
        {"image": pa.array(images, IMAGE_RECORD), "mask": pa.array(cells, IMAGE_RECORD)}
    )
    config = FileConfig(path="x", validation_fraction=0, test_fraction=0)
    section = SemanticSegmentationConfig(**task)
    return usable_masks(RawData({TRAIN: table}), config, section, ("image", "mask"), None)


def grey(*values: int) -> Pixels:
    """A mask of eight pixels: these values, the last one repeated."""
    return np.array([*values, *[values[-1]] * (8 - len(values))], np.uint8).reshape(2, 4)


def colour(*values: int) -> Pixels:
    flat = [*values, *[values[-1]] * (8 - len(values))]
    return np.array([[v >> 16, v >> 8 & 255, v & 255] for v in flat], np.uint8).reshape(2, 4, 3)


def test_values_of_the_masks_are_classes_with_their_share_of_the_pixels() -> None:
    raw = usable([grey(3, 0), grey(7, 7, 0), grey(0)])
    classes = classes_noted(raw.train)
    assert (classes.names, classes.values) == (["0", "3", "7"], [0, 3, 7])
    assert classes.masks == [3, 1, 1]
    assert classes.pixels == pytest.approx([21 / 24, 1 / 24, 2 / 24])
    assert raw.notes == ()


def test_255_is_ignored_beside_other_values_and_noted() -> None:
    raw = usable([grey(1, 255, 0), grey(0, 1)])
    classes = classes_noted(raw.train)
    assert (classes.values, classes.ignored) == ([0, 1], 255)
    # Ignored pixels are no part of the shares.
    assert classes.pixels == pytest.approx([7 / 15, 8 / 15])
    assert [note.why for note in raw.notes] == [
        "pixels of the mask value 255 are neither learned nor counted"
    ]


def test_of_black_and_white_masks_white_is_a_class() -> None:
    raw = usable([grey(255, 0), grey(0, 255)])
    classes = classes_noted(raw.train)
    assert (classes.values, classes.ignored) == ([0, 255], None)
    assert "255 is a class" in raw.notes[0].why


@pytest.mark.parametrize(
    ("setting", "values", "ignored"), [("none", [0, 1, 255], None), ("1", [0, 255], 1)]
)
def test_the_value_that_is_ignored_can_be_set(
    setting: str, values: list[int], ignored: int | None
) -> None:
    classes = classes_noted(usable([grey(1, 255, 0)], ignore_index=setting).train)
    assert (classes.values, classes.ignored) == (values, ignored)


def test_classes_that_are_set_name_values_and_leave_other_masks_out() -> None:
    raw = usable([grey(1, 0), grey(2, 0), grey(0, 1)], classes=["0=background", "1=cat"])
    classes = classes_noted(raw.train)
    assert (classes.names, classes.values) == (["background", "cat"], [0, 1])
    assert raw.train.num_rows == 2
    [skip] = raw.skips
    assert (skip.reason, skip.count) == ("the mask has values outside of the classes: 2", 1)


def test_255_is_a_class_where_it_is_given_as_one() -> None:
    raw = usable([grey(0, 128, 255)], classes=("0=sky", "128=land", "255=sea"))
    classes = classes_noted(raw.train)
    assert (classes.names, classes.values) == (["sky", "land", "sea"], [0, 128, 255])
    assert classes.ignored is None
    raw = usable([grey(0, 1, 255)], classes=("0=sky", "1=land", "255=edge"), ignore_index="255")
    assert classes_noted(raw.train).names == ["sky", "land"]


def test_colours_are_classes_in_their_order() -> None:
    raw = usable([colour(0xFF0000, 0x0000FF), colour(0, 0xFF0000)])
    classes = classes_noted(raw.train)
    assert classes.coloured
    assert classes.names == ["#000000", "#0000ff", "#ff0000"]
    assert classes.masks == [1, 1, 2]
    named = usable([colour(0xFF0000, 0)], classes=["#ff0000=cat", "#000000=rest"])
    assert classes_noted(named.train).names == ["cat", "rest"]


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (np.zeros((4, 4), np.uint8), "the mask has another size than its image"),
        (b"no image", "mask"),
    ],
)
def test_masks_that_do_not_fit_are_left_out_and_counted(mask: Any, reason: str) -> None:
    raw = usable([grey(0, 1), mask, grey(1, 0)])
    assert raw.train.num_rows == 2
    [skip] = raw.skips
    assert reason in skip.reason
    assert (skip.count, skip.example) == (1, "i1.png")


def test_where_no_mask_fits_the_error_names_one_and_says_where_to_look() -> None:
    with pytest.raises(DataError) as refused:
        usable([np.zeros((1, 2), np.uint8)] * 2)
    assert refused.value.message == (
        "No training row can be used: the mask has another size than its image (the first: i0.png)."
    )
    assert refused.value.hint == "Look at the images and their masks."


@pytest.mark.parametrize("masks", [[grey(1)], [grey(4), grey(4)]])
def test_masks_of_one_class_are_refused(masks: list[Pixels]) -> None:
    with pytest.raises(DataError, match="have 1 classes; there must be from 2"):
        usable(masks)


def test_a_value_is_written_as_settings_have_it() -> None:
    assert [written(5, False), written(255, True), written(0xFF0000, True)] == [
        "5", "#0000ff", "#ff0000",
    ]  # fmt: skip


def gif(pixels: Pixels) -> bytes:
    """A mask as Pillow writes it to a GIF: with the colours that it has, and no others."""
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if image.mode == "L" else image.quantize(8)).save(file, "GIF")
    return file.getvalue()


def read_again(raw: RawData) -> list[list[int]]:
    """The numbers of the classes of each mask's eight pixels."""
    noted = classes_noted(raw.train)
    masks = raw.train["mask"].to_pylist()
    return [noted.coding.numbers(mask, 4, None)[::2].reshape(-1).tolist() for mask in masks]


WHITE_ALONE, BLACK_ALONE = grey(255), grey(0)
BOTH = grey(0, 255, 255, 0)


@pytest.mark.parametrize("classes", [(), ("0=sky", "255=sea")])
def test_palettes_of_their_own_are_read_as_the_greys_that_they_have(
    classes: tuple[str, ...],
) -> None:
    """An index of 0 is black in one mask and white in another one."""
    raw = usable([gif(WHITE_ALONE), gif(BLACK_ALONE), gif(BOTH)], classes=classes)
    assert classes_noted(raw.train).values == [0, 255]
    assert read_again(raw) == [[1] * 8, [0] * 8, [0, 1, 1, 0, 0, 0, 0, 0]]
    assert any("read as the greys of their masks" in note.why for note in raw.notes)


def test_palettes_of_their_own_are_read_as_the_colours_that_they_have() -> None:
    red, blue = 0xC80000, 0x0000C8
    raw = usable([gif(colour(red)), gif(colour(blue)), gif(colour(blue, red, 0))])
    assert classes_noted(raw.train).names == ["#000000", "#0000c8", "#c80000"]
    assert read_again(raw) == [[2] * 8, [1] * 8, [1, 2, 0, 0, 0, 0, 0, 0]]
    assert any("read as the colours of their masks" in note.why for note in raw.notes)


def test_indices_that_are_given_as_classes_stay_indices_with_a_doubt() -> None:
    raw = usable([gif(BOTH), gif(grey(0, 0, 255)), gif(WHITE_ALONE)], classes=("0=sky", "1=sea"))
    assert classes_noted(raw.train).values == [0, 1]
    [note] = [note for note in raw.notes if "palettes of other masks" in note.why]
    assert note.kind == "doubt"
