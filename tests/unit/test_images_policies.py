"""TrivialAugment and RandAugment: the operations are torchvision's, the draws the generator's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from engine.config.tasks.augmentation import ClassAugmentationConfig
from engine.vision.augmentation import colors
from engine.vision.augmentation.policies import _NAMES, _RANGES, _operated, with_policy


def images(channels: int = 3, count: int = 8, height: int = 17, width: int = 21) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    levels = torch.randint(256, (count, channels, height, width), generator=generator)
    return levels / 255


def operated(batch: Tensor, name: str, strength: float) -> Tensor:
    chosen = np.full(len(batch), _NAMES.index(name))
    return _operated(batch, chosen, [strength] * len(batch))


BILINEAR: dict[str, Any] = {"interpolation": InterpolationMode.BILINEAR}


def by_torchvision(batch: Tensor, name: str, strength: float) -> Tensor:
    degrees = float(np.degrees(np.arctan(strength)))
    still: dict[str, Any] = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
    known = {
        "shear x": lambda: tv.affine(
            batch, **still | {"shear": [degrees, 0.0]}, center=[0, 0], **BILINEAR
        ),
        "shear y": lambda: tv.affine(
            batch, **still | {"shear": [0.0, degrees]}, center=[0, 0], **BILINEAR
        ),
        "translate x": lambda: tv.affine(
            batch, **still | {"translate": [int(strength), 0]}, **BILINEAR
        ),
        "translate y": lambda: tv.affine(
            batch, **still | {"translate": [0, int(strength)]}, **BILINEAR
        ),
        "rotate": lambda: tv.rotate(batch, strength, **BILINEAR),
        "brightness": lambda: tv.adjust_brightness(batch, 1 + strength),
        "saturation": lambda: tv.adjust_saturation(batch, 1 + strength),
        "contrast": lambda: tv.adjust_contrast(batch, 1 + strength),
        "sharpness": lambda: tv.adjust_sharpness(batch, 1 + strength),
        "posterize": lambda: tv.posterize(batch, int(strength)),
        "solarize": lambda: tv.solarize(batch, strength),
        "auto contrast": lambda: tv.autocontrast(batch),
    }
    found: Tensor = known[name]()
    return found


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        ("shear x", 0.3), ("shear y", -0.4), ("translate x", 5.7), ("translate y", -3.2),
        ("rotate", 33.0), ("brightness", 0.6), ("saturation", -0.7), ("contrast", 0.8),
        ("sharpness", 0.9), ("sharpness", -0.9), ("posterize", 3.0), ("solarize", 0.4),
        ("auto contrast", 0.0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_operations_are_those_of_torchvision(name: str, strength: float, channels: int) -> None:
    batch = images(channels) * 0.8
    expected = by_torchvision(batch, name, strength)
    # Its weight of red in grey is 0.2989.
    assert torch.allclose(operated(batch, name, strength), expected, atol=2e-4)


def test_equalized_images_are_those_of_pil() -> None:
    batch = images() ** 3
    found = colors.equalized(batch)
    for before, after in zip(batch, found, strict=True):
        whole = (before * 255).round().byte().permute(1, 2, 0).numpy()
        expected = np.asarray(ImageOps.equalize(Image.fromarray(whole)))
        assert np.array_equal((after * 255).round().byte().permute(1, 2, 0).numpy(), expected)
    constant = torch.full((1, 3, 5, 5), 0.3)
    assert torch.equal(colors.equalized(constant), constant)


@pytest.mark.parametrize(
    "fields", [{"policy": "trivial"}, {"policy": "rand", "policy_magnitude": 20}]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_policy_is_the_same_for_the_same_generator(fields: Any, channels: int) -> None:
    batch, config = images(channels, 64), ClassAugmentationConfig(**fields)
    state = torch.get_rng_state()

    def changed(seed: int) -> Tensor:
        return with_policy(batch, config, torch.Generator().manual_seed(seed))

    assert torch.equal(changed(1), changed(1))
    assert not torch.equal(changed(1), changed(2))
    assert torch.equal(state, torch.get_rng_state())
    assert changed(1).shape == batch.shape
    assert 0 <= float(changed(1).min()) <= float(changed(1).max()) <= 1


def test_each_image_has_an_operation_of_its_own() -> None:
    same = images(count=1).expand(200, -1, -1, -1)
    config = ClassAugmentationConfig(policy="trivial")
    changed = with_policy(same, config, torch.Generator().manual_seed(0))
    assert len(torch.unique(changed.flatten(1), dim=0)) > 100


def test_strengths_are_those_of_the_papers() -> None:
    trivial, rand = (_RANGES[name].strengths(331) for name in ("trivial", "rand"))
    assert trivial["rotate"][30] == 135
    assert rand["rotate"][9] == pytest.approx(9.0)
    assert rand["translate x"][30] == pytest.approx(150)
    assert trivial["posterize"][30] == 2
    assert rand["posterize"][30] == 4
    assert rand["solarize"][0] == 1
