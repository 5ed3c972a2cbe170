"""TrivialAugment (Müller, Hutter 2021) and RandAugment (Cubuk et al. 2020) on whole batches.

Operations and their ranges are those of torchvision's ``TrivialAugmentWide`` and ``RandAugment``;
each image has operations of its own, which torchvision gives to images one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional as F

from engine.config.tasks.augmentation import ClassAugmentationConfig
from engine.vision.augmentation.colors import (
    auto_contrasted,
    brightened,
    contrasted,
    equalized,
    posterized,
    saturated,
    sharpened,
    solarized,
)
from engine.vision.augmentation.draws import numbers_of

_PURPOSE = 2
_BINS = 31
"""Strengths, from none to the greatest."""
_SIGNED = ("shear x", "shear y", "translate x", "translate y", "rotate",
           "brightness", "saturation", "contrast", "sharpness")  # fmt: skip
"""Operations that go either way."""
_GEOMETRY = _SIGNED[:5]
_COLORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "brightness": lambda images, strength: brightened(images, 1 + strength),
    "saturation": lambda images, strength: saturated(images, 1 + strength),
    "contrast": lambda images, strength: contrasted(images, 1 + strength),
    "sharpness": lambda images, strength: sharpened(images, 1 + strength),
    "posterize": posterized,
    "solarize": solarized,
    "auto contrast": lambda images, _: auto_contrasted(images),
    "equalize": lambda images, _: equalized(images),
}
_NAMES = ("identity", *_GEOMETRY, *_COLORS)


@dataclass(frozen=True)
class _Ranges:
    """The greatest strength of each operation."""

    shear: float
    translation: float
    """In pixels, or as a share of the width where it is below 1."""
    rotation: float
    color: float
    bits: float
    """Bits that posterizing takes away."""

    def strengths(self, width: int) -> dict[str, NDArray[np.float64]]:
        """Return the strengths by operation, of which there are :data:`_BINS`."""
        steps = np.linspace(0.0, 1.0, _BINS)
        moved = self.translation * (width if self.translation < 1 else 1)
        most = dict.fromkeys(_NAMES, 0.0) | dict.fromkeys(_SIGNED[5:], self.color)
        most |= {"shear x": self.shear, "shear y": self.shear, "rotate": self.rotation}
        most |= {"translate x": moved, "translate y": moved}
        bits = 8 - np.round(steps * self.bits)
        return {name: steps * top for name, top in most.items()} | {
            "posterize": bits, "solarize": 1 - steps,
        }  # fmt: skip


_RANGES = {
    "trivial": _Ranges(0.99, 32.0, 135.0, 0.99, 6.0),
    "rand": _Ranges(0.3, 150 / 331, 30.0, 0.9, 4.0),
}


def with_policy(images: Tensor, config: ClassAugmentationConfig, generator: Generator) -> Tensor:
    """Return images ``[batch, channels, height, width]`` from 0 to 1, each after random operations.

    What comes from outside of an image is black.
    """
    trivial = config.policy == "trivial"
    numbers = numbers_of(generator, _PURPOSE)
    strengths = _RANGES[config.policy].strengths(images.shape[-1])
    for _ in range(1 if trivial else config.policy_operations):
        chosen = numbers.integers(len(_NAMES), size=len(images))
        signs = numbers.choice([-1.0, 1.0], size=len(images))
        if trivial:
            bins = numbers.integers(_BINS, size=len(images))
        else:
            bins = np.full(len(images), config.policy_magnitude)
        images = _operated(images, chosen, [
            strengths[_NAMES[k]][b] * (s if _NAMES[k] in _SIGNED else 1)
            for k, b, s in zip(chosen, bins, signs, strict=True)
        ])  # fmt: skip
    return images


def _operated(images: Tensor, chosen: NDArray[np.int64], strengths: list[float]) -> Tensor:
    """Apply one operation to each image."""
    result = images.clone()
    moved = np.flatnonzero((chosen > 0) & (chosen <= len(_GEOMETRY)))
    if len(moved):
        height, width = images.shape[-2:]
        maps = [_matrix(_NAMES[chosen[i]], strengths[i], height, width) for i in moved]
        rows = torch.from_numpy(moved).to(images.device)
        result[rows] = _mapped(images[rows], np.stack(maps))
    for name, operation in _COLORS.items():
        own = np.flatnonzero(chosen == _NAMES.index(name))
        if len(own):
            rows = torch.from_numpy(own).to(images.device)
            values = images.new_tensor([strengths[i] for i in own])[:, None, None, None]
            result[rows] = operation(images[rows], values)
    return result


def _matrix(name: str, strength: float, height: int, width: int) -> NDArray[np.float64]:
    """Return where a pixel comes from, ``[2, 3]``, in pixels from the upper left corner."""
    matrix = np.eye(2, 3)
    if name.startswith("shear"):
        matrix[(0, 1) if name.endswith("x") else (1, 0)] = strength
    elif name.startswith("translate"):
        matrix[0 if name.endswith("x") else 1, 2] = -int(strength)
    else:
        angle = math.radians(strength)
        turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        middle = np.array([width / 2, height / 2])
        matrix = np.column_stack([turned, middle - turned @ middle])
    return matrix


def _mapped(images: Tensor, matrices: NDArray[np.float64]) -> Tensor:
    """Sample images by matrices ``[batch, 2, 3]`` of :func:`_matrix`."""
    height, width = images.shape[-2:]
    to_pixels = np.array([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]])
    to_shares = np.array([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1]])
    whole = np.concatenate(
        [matrices, np.broadcast_to([[[0.0, 0.0, 1.0]]], (len(matrices), 1, 3))], 1
    )
    theta = images.new_tensor((to_shares @ whole @ to_pixels)[:, :2])
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
