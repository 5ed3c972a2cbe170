"""Masks as they are stored: values, grey, colours, and what they become."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.data.images import ImageFault
from engine.data.masks import MaskCoding, look_at_mask

VALUES = np.array([[0, 0, 7], [7, 255, 255]], np.uint8)
RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)


def png(image: Image.Image) -> dict[str, Any]:
    file = io.BytesIO()
    image.save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def palette(values: np.ndarray[Any, Any]) -> Image.Image:
    image = Image.fromarray(values).convert("P")
    image.putdata(values.ravel().tolist())
    image.putpalette([200, 10, 10] * 256)
    return image


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(VALUES),
        palette(VALUES),
        Image.fromarray(VALUES.astype(np.uint16)),
        Image.fromarray(np.stack([VALUES] * 3, 2)),
    ],
    ids=["grey", "palette", "16 bits", "grey stored as colour"],
)
def test_values_are_read_whatever_holds_them(image: Image.Image) -> None:
    coding = MaskCoding((7, 0), 255, coloured=False)
    record = png(image)
    assert coding.pixels(look_at_mask(record)) == {0: 2, 7: 2, 255: 2}
    # Class 0 is the value 7, class 1 the value 0; 255 is ignored.
    square = np.zeros((3, 3), np.uint8)
    square[:2] = VALUES
    assert coding.numbers(png(Image.fromarray(square)), 3).tolist() == [
        [1, 1, 0], [0, 255, 255], [1, 1, 1],
    ]  # fmt: skip


def test_colours_are_classes() -> None:
    pixels = np.array([[RED, BLUE], [BLACK, RED]], np.uint8)
    record = png(Image.fromarray(pixels))
    look = look_at_mask(record)
    assert look.stored == "colours"
    coding = MaskCoding((0xFF0000, 0x0000FF), 0, coloured=True)
    assert coding.unknown(look) == []
    assert coding.numbers(record, 2).tolist() == [[0, 1], [255, 0]]


def test_a_black_mask_among_coloured_ones_is_a_colour() -> None:
    record = png(Image.fromarray(np.zeros((2, 2, 3), np.uint8)))
    coding = MaskCoding((0, 0xFF0000), None, coloured=True)
    assert coding.numbers(record, 2).tolist() == [[0, 0], [0, 0]]


def test_values_outside_of_the_classes_are_a_fault() -> None:
    coding = MaskCoding((0, 1), 255, coloured=False)
    record = png(Image.fromarray(VALUES))
    assert coding.unknown(look_at_mask(record)) == [7]
    with pytest.raises(ImageFault, match="outside of the classes"):
        coding.numbers(record, 2)


def test_a_mask_is_stretched_by_its_nearest_pixels() -> None:
    coding = MaskCoding((0, 1, 2, 3), None, coloured=False)
    quarters = np.array([[0, 1], [2, 3]], np.uint8)
    expected = np.kron(quarters, np.ones((2, 2), np.uint8))
    assert coding.numbers(png(Image.fromarray(quarters)), 4).tolist() == expected.tolist()


def test_a_photograph_is_no_mask() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    with pytest.raises(ImageFault, match="more than 254 values"):
        look_at_mask(png(Image.fromarray(pixels)))
