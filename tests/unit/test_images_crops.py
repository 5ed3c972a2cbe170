"""Random resized crops: a part of the full pixels, the same for the same seed, epoch and row."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from engine.data.images import decode
from engine.vision.augmentation.crops import Crop

WIDTH, HEIGHT = 500, 375


def boxes(least: float, count: int = 300) -> np.ndarray:
    return np.array([Crop(least, 1, 2, row)(WIDTH, HEIGHT) for row in range(count)])


def test_crops_have_the_area_and_sides_that_are_allowed() -> None:
    left, top, right, bottom = boxes(0.3).T
    assert left.min() >= 0
    assert top.min() >= 0
    assert right.max() <= WIDTH + 1e-6
    assert bottom.max() <= HEIGHT + 1e-6
    width, height = right - left, bottom - top
    share = width * height / (WIDTH * HEIGHT)
    assert 0.3 <= share.min() < 0.35
    assert share.max() > 0.95
    assert 0.75 - 1e-6 <= (width / height).min() < 0.8
    assert 1.25 < (width / height).max() <= 4 / 3 + 1e-6


def test_a_crop_depends_on_seed_epoch_and_row() -> None:
    known = Crop(0.1, 1, 2, 3)
    assert known(WIDTH, HEIGHT) == known(WIDTH, HEIGHT)
    others = (Crop(0.1, 2, 2, 3), Crop(0.1, 1, 3, 3), Crop(0.1, 1, 2, 4))
    assert known(WIDTH, HEIGHT) not in [other(WIDTH, HEIGHT) for other in others]


def test_a_slim_image_gives_its_middle() -> None:
    assert Crop(1.0, 0, 0, 0)(400, 100) == pytest.approx((400 / 3, 0, 800 / 3, 100))


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_crop_of_a_photograph_is_the_part_of_its_pixels(orientation: int) -> None:
    across, down = np.meshgrid(np.linspace(0, 255, WIDTH), np.linspace(0, 255, HEIGHT))
    plane = np.stack([across, down, np.full_like(across, 128)], 2).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(plane).save(file, "JPEG", quality=95, exif=exif)
    crop = Crop(0.2, 5, 6, 7)
    found = decode(file.getvalue(), 32, 3, crop=crop).astype(int)
    upright = plane if orientation == 1 else np.rot90(plane, -1)
    left, top, right, bottom = crop(upright.shape[1], upright.shape[0])
    # Colors are linear in the place, so a resized part is known from its corners.
    for row, column in ((0, 0), (0, 31), (31, 0), (31, 31)):
        y = int(top + (bottom - top) * (row + 0.5) / 32)
        x = int(left + (right - left) * (column + 0.5) / 32)
        assert np.abs(found[row, column] - upright[y, x]).max() <= 5
