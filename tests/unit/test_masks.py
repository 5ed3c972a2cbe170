"""Masks as they are stored: values, grey, colours, and what they become."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
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


def jpeg(values: NDArray[np.uint8], quality: int = 90) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=quality)
    return {"bytes": file.getvalue(), "path": None}


@pytest.mark.parametrize("coloured", [False, True])
def test_a_jpeg_mask_is_black_and_white_again(coloured: bool) -> None:
    """Its edges have dozens of values, of which 255 would be ignored."""
    down, across = np.mgrid[:60, :80]
    disc = ((down - 30) ** 2 + (across - 40) ** 2 < 20**2).astype(np.uint8) * np.uint8(255)
    look = look_at_mask(jpeg(np.stack([disc] * 3, 2) if coloured else disc))
    assert look.lossy
    assert set(look.pixels) == {0, 255}
    assert look.pixels[255] == pytest.approx((disc == 255).sum(), abs=10)
    assert look_at_mask(jpeg(np.zeros((8, 8), np.uint8))).pixels == {0: 64}


def test_a_jpeg_of_other_classes_is_a_fault() -> None:
    few = np.repeat(np.arange(4, dtype=np.uint8), 16).reshape(8, 8)
    many = np.repeat(np.array([0, 100, 170, 255], np.uint8), 16).reshape(8, 8)
    for values in (few, many):
        with pytest.raises(ImageFault, match="store masks as PNG"):
            look_at_mask(jpeg(values))


def test_indices_of_a_palette_are_colours_where_the_classes_are() -> None:
    mask = Image.fromarray(np.array([[0, 1], [1, 2]], np.uint8))
    mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    coding = MaskCoding((0x008000, 0, 0x800000), None, True)
    look = look_at_mask(png(mask))
    assert coding.pixels(look) == {0: 1, 0x800000: 2, 0x008000: 1}
    assert coding.unknown(look) == []
    assert coding.numbers(png(mask), 2).tolist() == [[1, 2], [2, 0]]
