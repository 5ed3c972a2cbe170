"""Mixup and CutMix blend images and classes by the same share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.metrics.classes.classification import class_loss
from engine.vision.augmentation.mixing import Mixing

COUNT, CLASSES = 8, 4


def mixed(mixing: Mixing, targets: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images that are constant, each with its number as its value, mixed with each other."""
    images = torch.arange(COUNT).float()[:, None, None, None].expand(COUNT, 3, 16, 16)
    return mixing(images, targets, torch.Generator().manual_seed(seed))


def test_mixup_blends_images_and_classes_by_one_share() -> None:
    targets = torch.arange(COUNT) % CLASSES
    images, shares = mixed(Mixing(1.0, 0.0, COUNT), torch.arange(COUNT))
    assert torch.allclose(images[:, 0, 0, 0], shares @ torch.arange(COUNT).float(), atol=1e-5)
    assert bool((images == images[:, :1, :1, :1]).all())
    assert bool(((shares > 0).sum(1) == 2).any())
    _, shares = mixed(Mixing(1.0, 0.0, CLASSES), targets)
    assert shares.shape == (COUNT, CLASSES)
    assert torch.allclose(shares.sum(1), torch.ones(COUNT))


def test_cutmix_gives_classes_the_area_of_their_pixels() -> None:
    for seed in range(20):
        images, shares = mixed(Mixing(0.0, 1.0, COUNT), torch.arange(COUNT), seed)
        for number in range(COUNT):
            area = [float((images[number, 0] == other).float().mean()) for other in range(COUNT)]
            assert shares[number].tolist() == pytest.approx(area, abs=1e-6)


def test_with_both_each_is_used_in_some_batches() -> None:
    pasted = 0
    for seed in range(40):
        images, _ = mixed(Mixing(1.0, 1.0, COUNT), torch.arange(COUNT), seed)
        pasted += bool((images == images.round()).all())
    assert 8 < pasted < 32


def test_several_labels_are_mixed_as_they_are() -> None:
    labels = (torch.arange(COUNT * CLASSES).reshape(COUNT, CLASSES) % 3 == 0).float()
    _, shares = mixed(Mixing(0.4, 0.0, CLASSES), labels)
    assert shares.shape == labels.shape
    assert float(shares.sum()) == pytest.approx(float(labels.sum()), rel=1e-5)


def test_mixing_depends_on_the_generator_alone() -> None:
    mixing, targets = Mixing(0.4, 1.0, CLASSES), torch.arange(COUNT) % CLASSES
    first, second = mixed(mixing, targets, 3), mixed(mixing, targets, 3)
    assert all(map(torch.equal, first, second))
    assert not torch.equal(first[0], mixed(mixing, targets, 4)[0])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_classes_is_the_mean_of_theirs(smoothing: float) -> None:
    logits = torch.randn(6, CLASSES, generator=torch.Generator().manual_seed(1))
    one, other = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([3, 3, 2, 0, 1, 0])
    shares = 0.3 * F.one_hot(one, CLASSES) + 0.7 * F.one_hot(other, CLASSES)
    weights = torch.tensor([0.5, 2.0, 1.0, 0.7])
    for weighed in (None, weights):
        expected = 0.3 * class_loss(logits, one, weighed, smoothing)
        expected += 0.7 * class_loss(logits, other, weighed, smoothing)
        found = class_loss(logits, shares, weighed, smoothing)
        assert float(found) == pytest.approx(float(expected), rel=1e-5)
