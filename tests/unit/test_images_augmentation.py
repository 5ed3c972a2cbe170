"""Augmentation depends on its generator only, and follows its fields."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from engine.config.tasks.augmentation import AugmentationConfig
from engine.vision.augmentation.batch import Augmentation

ALL: dict[str, Any] = {
    "flip": "both",
    "crop": 2,
    "zoom": 0.2,
    "rotation": 20.0,
    "color_jitter": 0.3,
    "erasing": 0.5,
    "noise": 0.1,
}


def images(channels: int = 3, count: int = 16, size: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.rand(count, channels, size, size, generator=generator)


def augmented(batch: Tensor, seed: int = 0, **fields: Any) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return Augmentation(AugmentationConfig(**fields))(batch, generator)


@pytest.mark.parametrize("field", list(ALL))
@pytest.mark.parametrize("channels", [1, 3])
def test_each_change_is_the_same_for_the_same_generator(field: str, channels: int) -> None:
    batch = images(channels)
    first = augmented(batch, **{field: ALL[field]})
    torch.rand(100)  # the global random state has no influence
    assert torch.equal(first, augmented(batch, **{field: ALL[field]}))
    assert not torch.equal(first, augmented(batch, seed=1, **{field: ALL[field]}))
    assert first.shape == batch.shape


def test_nothing_is_drawn_from_global_random_numbers() -> None:
    before = torch.get_rng_state()
    augmented(images(), **ALL)
    assert torch.equal(before, torch.get_rng_state())


def test_without_fields_nothing_changes() -> None:
    assert torch.equal(augmented(images()), images())
    assert not Augmentation(AugmentationConfig())


def test_flips_mirror_about_half_of_the_images() -> None:
    batch = images(count=400)
    result = augmented(batch, flip="horizontal")
    mirrored = (result == batch.flip(-1)).flatten(1).all(1)
    same = (result == batch).flatten(1).all(1)
    assert bool((mirrored | same).all())
    assert 150 < int(mirrored.sum()) < 250


def test_shifts_keep_all_pixels_that_stay_inside() -> None:
    batch = images(count=50)
    result = augmented(batch, crop=2)
    inner = batch[:, :, 4:-4, 4:-4]
    windows = [
        result[:, :, 4 + y : 8 + y, 4 + x : 8 + x] for y in range(-2, 3) for x in range(-2, 3)
    ]
    found = torch.stack([(window == inner).flatten(1).all(1) for window in windows])
    assert bool(found.any(0).all())


def test_images_are_mirrored_and_then_shifted_with_mirrored_borders() -> None:
    batch = (images(count=60) * 255).to(torch.uint8)
    result = augmented(batch, flip="both", crop=2)
    seen = set()
    for old, new in zip(batch, result, strict=True):
        borders = {
            (vertical, across): functional.pad(
                old.float().flip([axis for axis, on in ((-2, vertical), (-1, across)) if on]),
                (2, 2, 2, 2),
                mode="reflect",
            )
            for vertical in (False, True)
            for across in (False, True)
        }
        fits = [
            (*flips, y, x)
            for flips, padded in borders.items()
            for y in range(5)
            for x in range(5)
            if torch.equal(padded[:, y : y + 12, x : x + 12], new.float())
        ]
        assert len(fits) == 1
        seen.update(fits)
    assert {place[:2] for place in seen} == set(product((False, True), repeat=2))
    assert {place[2] for place in seen} == {place[3] for place in seen} == set(range(5))


def test_a_shift_beyond_the_image_is_bounded() -> None:
    assert augmented(images(size=2), crop=100).shape == (16, 3, 2, 2)


def test_a_quarter_turn_is_exact() -> None:
    batch = images(count=1)
    config = AugmentationConfig(rotation=180.0)
    generator = torch.Generator().manual_seed(0)
    assert Augmentation(config)(batch, generator).shape == batch.shape
    whole = torch.full((4, 1, 9, 9), 0.5)
    assert torch.allclose(augmented(whole, rotation=90.0, zoom=0.5), whole, atol=1e-6)


def test_colours_stay_between_black_and_white() -> None:
    result = augmented(images(), color_jitter=1.0)
    assert float(result.min()) >= 0.0
    assert float(result.max()) <= 1.0


def test_erasing_blots_out_a_share_of_the_images() -> None:
    batch = torch.ones(500, 1, 16, 16)
    touched = (augmented(batch, erasing=0.4) != 1).flatten(1)
    assert 150 < int(touched.any(1).sum()) < 250
    assert float(touched.float().mean(1).max()) < 0.5
