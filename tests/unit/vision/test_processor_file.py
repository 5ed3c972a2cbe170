"""Image processors as transformers loads them: the pixels that the network was trained on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import transformers
from PIL import Image

from engine.config.models.image import Preprocessing
from engine.data.images import decode
from engine.vision.files.processor_file import write_processor

SIZE = 32
MEAN, STD = (0.5, 0.25, 0.4), (0.5, 0.25, 0.2)


def photograph(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """An image whose colours change from left to right and from top to bottom."""
    across, down = np.linspace(0, 255, width), np.linspace(0, 255, height)[:, None]
    planes = [across + 0 * down, down + 0 * across, (across + down) / 2]
    return Image.fromarray(np.stack(planes, 2).astype(np.uint8)).convert(mode)


def expected(image: Image.Image, channels: int, resize: Literal["crop", "stretch"]) -> Any:
    file = io.BytesIO()
    image.save(file, "PNG")
    pixels = decode(file.getvalue(), SIZE, channels, resize).astype(np.float64) / 255
    return (pixels - MEAN[:channels]) / STD[:channels]


@pytest.mark.parametrize("size", [(96, 64), (64, 160), (32, 32), (50, 20)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.parametrize(
    ("resize", "processor"),
    [
        ("crop", "ViTImageProcessor"),
        ("stretch", "ViTImageProcessor"),
        ("stretch", "SegformerImageProcessor"),
        ("stretch", "RTDetrImageProcessor"),
    ],
)
def test_transformers_sees_what_the_network_saw(
    tmp_path: Path,
    size: tuple[int, int],
    mode: str,
    resize: Literal["crop", "stretch"],
    processor: str,
) -> None:
    write_processor(Preprocessing(SIZE, MEAN, STD), tmp_path, processor, resize)
    image = photograph(*size, mode)
    prepare: Any = transformers.AutoImageProcessor.from_pretrained(tmp_path)
    found = np.asarray(prepare(image, return_tensors="np")["pixel_values"])[0]
    assert found.shape == (3, SIZE, SIZE)
    wanted = expected(image, 3, resize).transpose(2, 0, 1)
    # Two levels of 255, by which the libraries round otherwise, in units of the deviation.
    assert np.abs(found - wanted).max() <= 2.5 / 255 / min(STD)


def test_grey_networks_get_one_channel(tmp_path: Path) -> None:
    write_processor(Preprocessing(SIZE, MEAN[:1], STD[:1]), tmp_path, resize="crop")
    prepare: Any = transformers.AutoImageProcessor.from_pretrained(tmp_path)
    image = photograph(96, 64, "L")
    found = np.asarray(prepare(image, return_tensors="np")["pixel_values"])[0]
    assert found.shape == (1, SIZE, SIZE)
    assert np.abs(found - expected(image, 1, "crop").transpose(2, 0, 1)).max() <= 0.02
