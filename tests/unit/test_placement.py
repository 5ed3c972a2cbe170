"""Augmentation of images with masks and boxes: what moves pixels moves both alike."""

from __future__ import annotations

import pytest
import torch

from engine.config.tasks.placed_augmentation import PlacedAugmentationConfig
from engine.vision.augmentation.placement import NO_OBJECT, PlacedAugmentation, Placement

SIDE = 16


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def placement(scale: list[float], shift: list[float]) -> Placement:
    return Placement(torch.tensor([scale]), torch.tensor([shift]))


def drawn(left: int, top: int, right: int, bottom: int) -> torch.Tensor:
    image = torch.zeros(1, 1, SIDE, SIDE)
    image[..., top:bottom, left:right] = 1
    return image


def extent(mask: torch.Tensor) -> list[float]:
    """The box around what is 1 in ``[height, width]``, in shares of the sides."""
    rows, columns = torch.nonzero(mask == 1, as_tuple=True)
    edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return [float(edge) / SIDE for edge in edges]


def test_a_flip_moves_image_mask_and_box_to_the_other_side() -> None:
    flipped = placement([-1.0, 1.0], [1.0, 0.0])
    image = drawn(1, 2, 5, 10)
    moved = flipped.images(image, torch.zeros(1, 1, 1))
    assert torch.allclose(moved, image.flip(-1), atol=1e-5)
    mask = image[:, 0].to(torch.uint8)
    assert torch.equal(flipped.masks(mask), mask.flip(-1))
    box = torch.tensor([[[1 / SIDE, 2 / SIDE, 5 / SIDE, 10 / SIDE, 3.0]]])
    # Columns 1 to 5 of 16 become 11 to 15.
    expected = torch.tensor([[[11 / SIDE, 2 / SIDE, 15 / SIDE, 10 / SIDE, 3.0]]])
    assert torch.allclose(flipped.boxes(box), expected)


@pytest.mark.parametrize("seed", range(8))
def test_any_place_moves_masks_and_boxes_alike(seed: int) -> None:
    augmentation = PlacedAugmentation(PlacedAugmentationConfig(flip="both", zoom=0.4))
    place = augmentation.place(1, generator(seed))
    assert place is not None
    mask = drawn(6, 4, 12, 11)[:, 0].to(torch.uint8)
    box = torch.tensor([[[*extent(mask[0]), 1.0]]])
    moved = place.boxes(box)[0, 0, :4]
    # A mask's edge lies within a pixel of the box.
    assert moved.tolist() == pytest.approx(extent(place.masks(mask)[0]), abs=1.01 / SIDE)


def test_what_lies_outside_is_ignored_in_masks_and_of_a_colour_in_images() -> None:
    away = placement([2.0, 2.0], [-0.5, -0.5])  # half the size, in the middle
    masks = away.masks(torch.ones(1, SIDE, SIDE, dtype=torch.uint8))[0]
    assert masks[0, 0] == 255
    assert masks[SIDE // 2, SIDE // 2] == 1
    image = away.images(torch.ones(1, 1, SIDE, SIDE), torch.full((1, 1, 1), 0.25))
    assert image[0, 0, 0, 0] == pytest.approx(0.25)


def test_objects_that_are_hardly_in_the_image_are_not_learned() -> None:
    near = placement([0.5, 0.5], [0.5, 0])  # the upper right quarter
    boxes = torch.tensor([[
        [0.0, 0.0, 0.25, 0.25, 0.0],  # outside
        [0.4, 0.0, 0.52, 0.25, 1.0],  # a sixth of it inside
        [0.4, 0.1, 0.8, 0.3, 2.0],  # three quarters
    ]])  # fmt: skip
    moved = near.boxes(boxes)[0]
    assert moved[:, 4].tolist() == [NO_OBJECT, NO_OBJECT, 2]
    assert moved[2, :4].tolist() == pytest.approx([0, 0.2, 0.6, 0.6])


def test_the_same_generator_gives_the_same_places() -> None:
    augmentation = PlacedAugmentation(PlacedAugmentationConfig(flip="horizontal", zoom=0.3))
    one, other = (augmentation.place(4, generator(5)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert torch.equal(one.scale, other.scale)
    assert torch.equal(one.shift, other.shift)
    assert (one.scale[:, 1] > 0).all(), "no vertical flip"
    assert augmentation.place(64, generator()).scale[:, 0].min() < 0  # type: ignore[union-attr]


def test_without_flip_and_zoom_nothing_moves() -> None:
    assert PlacedAugmentation(PlacedAugmentationConfig()).place(4, generator()) is None
