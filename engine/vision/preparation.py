"""From decoded images to what the network takes in, with what is random in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.batches.device_constant import DeviceConstant
from engine.batches.source import Noise
from engine.vision.augmentation.batch import WHITE, Augmentation, as_shares
from engine.vision.augmentation.mixing import Mixing

_GROWING = 0.7
"""Share of the epochs after which images have their full size."""
_FEW_PIXELS = 64
"""Images up to this side grow by steps of 4 px, larger ones by steps of 32."""
_PIECE = 1 << 16
"""Values that are normalised at a time on a CPU: they stay in its caches meanwhile."""


@dataclass(frozen=True)
class ProgressiveSize:
    """The size of training images, which grows with the epochs from ``start`` on."""

    start: int
    epochs: int

    def at(self, epoch: int, full: int) -> int:
        """Return the size in an epoch, of images whose own size is ``full``."""
        done = min(1.0, epoch / (_GROWING * self.epochs))
        step = 4 if full <= _FEW_PIXELS else 32
        grown = self.start + step * round((full - self.start) * done / step)
        return full if done == 1.0 else min(full, grown)


class Normalisation:
    """From bytes or shares of white to values of mean 0 and deviation 1 in each channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self._mean, self._std = DeviceConstant(mean), DeviceConstant(std)

    def mean(self, images: Tensor) -> Tensor:
        """Return the mean colour, ``[channels, 1, 1]``, on the device of ``images``."""
        return self._mean.like(images)[:, None, None]

    def __call__(self, images: Tensor) -> Tensor:
        """Return normalised ``[batch, channels, height, width]`` from bytes, or shares of white."""
        count, channels, height, width = images.shape
        # Convolutions are faster with the channels innermost, on CPUs and GPUs alike.
        lines = images.permute(0, 2, 3, 1).reshape(count * height, width * channels)
        result = torch.empty(lines.shape, device=images.device)
        mean, std = (part.like(result).repeat(width) for part in (self._mean, self._std))
        size = max(1, _PIECE // lines.shape[1]) if images.device.type == "cpu" else len(lines)
        for part, line in zip(torch.split(result, size), torch.split(lines, size), strict=True):
            part.copy_(line)
            if images.dtype == torch.uint8:
                part.div_(WHITE)
            part.sub_(mean).div_(std)
        return result.view(count, height, width, channels).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Preparation:
    """From ``[batch, channels, size, size]`` of bytes or shares to normalised images."""

    normalisation: Normalisation
    augmentation: Augmentation | None = None
    mixing: Mixing | None = None
    sizes: ProgressiveSize | None = None
    least_crop: float = 0.0
    """Smallest share of the area in random resized crops; 0 for none."""

    def __call__(self, images: Tensor) -> Tensor:
        """Return images as they are evaluated."""
        return self.normalisation(images)

    def train(
        self, images: Tensor, targets: Tensor | None, noise: Noise, position: int
    ) -> tuple[Tensor, Tensor | None]:
        """Return images and targets of a batch as they are trained on.

        Mixed targets are shares of the classes, ``[batch, classes]``.
        """
        generator = noise.at(position)
        if self.augmentation is not None:
            images = self.augmentation(images, generator)
        if self.sizes is not None:
            images = _shrunk(images, self.sizes.at(noise.epoch, images.shape[-1]))
        if self.mixing and targets is not None:
            images, targets = self.mixing(as_shares(images), targets, generator)
        return self.normalisation(images), targets


def _shrunk(images: Tensor, size: int) -> Tensor:
    if size >= images.shape[-1]:
        return images
    return F.interpolate(as_shares(images), (size, size), mode="bilinear", antialias=True)
