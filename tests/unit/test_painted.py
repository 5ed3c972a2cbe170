"""Small pictures of images with what belongs to them painted in."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.data.masks import IGNORED
from engine.reports.picture import Picture
from engine.vision.annotated.mask_prediction import mask_of, segments_of
from engine.vision.annotated.painted import boxes_painted, mask_painted
from engine.vision.annotated.painting import class_colour
from engine.vision.annotated_fitted import AnnotatedFitted

CLASSES = ["ground", "cat"]


@pytest.fixture
def white() -> dict[str, Any]:
    """A white image of 192×96 pixels."""
    file = io.BytesIO()
    Image.new("RGB", (192, 96), "white").save(file, "PNG")
    return {"bytes": file.getvalue(), "path": "white.png"}


@pytest.fixture
def fitted() -> AnnotatedFitted:
    return AnnotatedFitted(
        image="image", classes=CLASSES, counts=[1, 1], size=32, mean=[0.0] * 3, std=[1.0] * 3,
        sizes={},
    )  # fmt: skip


def pixels(picture: Picture | None) -> NDArray[np.uint8]:
    assert picture is not None
    flat = np.frombuffer(picture.pixels, np.uint8)
    return flat.reshape(picture.height, picture.width, 3)


def test_boxes_are_painted_where_they_are_in_a_smaller_picture(white, fitted) -> None:
    objects = [{"label": "cat", "box": [20.0, 40.0, 100.0, 80.0]}]
    found = boxes_painted(white, objects, fitted, name="white.png")
    assert (found.width, found.height, found.size) == (96, 48, "192×96")
    painted = pixels(found)
    outline = np.full((48, 96), False)
    outline[20, 10:50] = outline[39, 10:50] = outline[20:40, 10] = outline[20:40, 49] = True
    assert (painted[outline] == class_colour(1)).all()
    assert (painted[~outline] == 255).all()


def test_a_mask_of_any_size_is_laid_over_its_image(white, fitted) -> None:
    mask = np.zeros((2, 4), np.uint8)
    mask[:, 2:] = 1
    painted = pixels(mask_painted(white, mask, fitted))
    assert (painted[:, :48] == 255).all()
    mixed = np.round((255 + np.array(class_colour(1))) / 2)
    assert np.abs(painted[:, 48:] - mixed).max() <= 1


def test_an_image_that_cannot_be_decoded_has_no_picture(fitted) -> None:
    assert boxes_painted({"bytes": b"no image", "path": "x"}, [], fitted) is None


def test_the_mask_of_a_prediction_is_that_of_its_segments() -> None:
    mask = np.array([[0, 0, 1], [IGNORED, 1, 1]], np.uint8)
    record = {"width": 3, "height": 2, "segments": segments_of(mask, CLASSES)}
    assert mask_of(record, CLASSES).tolist() == mask.tolist()
