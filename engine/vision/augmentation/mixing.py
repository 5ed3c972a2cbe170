"""Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019): each image of a batch with another one.

The share of the first image is drawn once a batch, from a beta distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from engine.vision.augmentation.draws import numbers_of

_PURPOSE = 1


@dataclass(frozen=True)
class Mixing:
    """The kinds of mixing, and their strengths."""

    mixup: float
    cutmix: float
    classes: int

    def __bool__(self) -> bool:
        return bool(self.mixup or self.cutmix)

    def __call__(
        self, images: Tensor, targets: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Return images ``[batch, channels, height, width]`` and shares ``[batch, classes]``."""
        numbers = numbers_of(generator, _PURPOSE)
        others = torch.from_numpy(numbers.permutation(len(images))).to(images.device)
        cuts = numbers.random() < 0.5 if self.mixup and self.cutmix else bool(self.cutmix)
        alpha = self.cutmix if cuts else self.mixup
        share = float(numbers.beta(alpha, alpha))
        if cuts:
            images, share = _pasted(images, others, share, numbers)
        else:
            images = images.lerp(images[others], 1 - share)
        shares = self._shares(targets)
        return images, shares.lerp(shares[others], 1 - share)

    def _shares(self, targets: Tensor) -> Tensor:
        """Return one class an image as a row of zeros and a one; several labels are such a row."""
        if targets.ndim == 2:
            return targets.float()
        return F.one_hot(targets, self.classes).float()


def _pasted(
    images: Tensor, others: Tensor, share: float, numbers: np.random.Generator
) -> tuple[Tensor, float]:
    """Return images with a rectangle of the others, and the share of the area that stayed."""
    height, width = images.shape[-2:]
    side = math.sqrt(1 - share)
    top, bottom = _strip(height, side, numbers)
    left, right = _strip(width, side, numbers)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[others, :, top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


def _strip(length: int, share: float, numbers: np.random.Generator) -> tuple[int, int]:
    """Return the ends of a strip about a random middle; what lies outside of the image is lost."""
    middle, half = int(numbers.integers(length)), int(length * share) // 2
    return max(0, middle - half), min(length, middle + half)
