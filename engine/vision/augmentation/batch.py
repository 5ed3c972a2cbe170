"""Random changes of a whole batch at once, on its device.

All numbers come from one generator, so a batch comes out the same whenever it is asked for. The
definitions are those of torchvision's ``transforms.v2``, which draws from global generators and
changes all images of a batch alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from engine.config.tasks.augmentation import AugmentationConfig, WholeAugmentationConfig
from engine.vision.augmentation.colors import brightened, contrasted, saturated
from engine.vision.augmentation.policies import with_policy

Step = Callable[[Tensor, Any, Generator], Tensor]

WHITE = 255.0
"""The largest value of a byte."""
_LARGEST_INT32 = 2**31 - 1
_ERASED = (0.02, 0.33)
"""Least and greatest share of the image that is blotted out, as ``RandomErasing`` has it."""


class Augmentation:
    """Changes images ``[batch, channels, size, size]`` of bytes, or of floats from 0 to 1."""

    def __init__(self, config: AugmentationConfig) -> None:
        self._config = config
        steps: dict[Step, Any] = {
            _move: config.flip != "none" or config.crop,
            _turn: config.rotation or config.zoom,
            _jitter: config.color_jitter,
            with_policy: isinstance(config, WholeAugmentationConfig) and config.policy != "none",
            _erase: config.erasing,
            _add_noise: config.noise,
        }
        self._steps = [step for step, wanted in steps.items() if wanted]

    def __bool__(self) -> bool:
        return bool(self._steps)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """The same images, each changed in its own way; bytes where no step computes with them."""
        for step in self._steps:
            # Bytes are copied four times as fast.
            images = images if step is _move else as_shares(images)
            images = step(images, self._config, generator)
        return images


def as_shares(images: Tensor) -> Tensor:
    """Return images as floats from 0 to 1."""
    if images.dtype != torch.uint8:
        return images
    return images.to(torch.float32).div_(WHITE)


def _uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    numbers = torch.rand(count, generator=generator, device=generator.device)
    return numbers * (high - low) + low


def _move(images: Tensor, config: AugmentationConfig, generator: Generator) -> Tensor:
    """Mirror about half of the images on each axis that may be, then shift all of them."""
    count, channels, height, width = images.shape
    axes = {"none": [], "horizontal": [-1], "vertical": [-2], "both": [-1, -2]}[config.flip]
    flipped = {axis: _uniform(count, 0, 1, generator) < 0.5 for axis in axes}
    # A border cannot be mirrored beyond the other one.
    most = min(config.crop, height - 1, width - 1)
    offsets = torch.zeros(2, count, 1, dtype=torch.int64, device=images.device)
    if most:
        offsets = torch.randint(
            2 * most + 1, offsets.shape, generator=generator, device=generator.device
        ).sub_(most)
    rows, columns = (
        _places(offset, length, flipped.get(axis))
        for offset, length, axis in zip(offsets, (height, width), (-2, -1), strict=True)
    )
    # There is a place for each pixel: where four bytes hold it, eight would be twice the memory.
    kind = torch.int32 if count * height * width <= _LARGEST_INT32 else torch.int64
    rows, columns = rows.to(kind)[:, :, None], columns.to(kind)[:, None, :]
    number = torch.arange(count, dtype=kind, device=images.device)[:, None, None]
    places = (number * height + rows) * width + columns
    # With the channels innermost: whole pixels are copied.
    pixels = images.permute(0, 2, 3, 1).reshape(-1, channels).index_select(0, places.flatten())
    return pixels.view(count, height, width, channels).permute(0, 3, 1, 2)


def _places(offsets: Tensor, length: int, flipped: Tensor | None) -> Tensor:
    """Return which line of each image, ``[batch, length]``, comes to stand in each place."""
    places = _mirrored(offsets, length)
    if flipped is None:
        return places
    return torch.where(flipped[:, None], (length - 1) - places, places)


def _mirrored(offsets: Tensor, length: int) -> Tensor:
    """Return the ``length`` places from each offset on, mirrored at both ends."""
    places = (offsets + torch.arange(length, device=offsets.device)).abs()
    return (length - 1) - ((length - 1) - places).abs()


def _turn(images: Tensor, config: AugmentationConfig, generator: Generator) -> Tensor:
    """Rotation about the middle, and a section of the image in its place."""
    count = len(images)
    angles = _uniform(count, -config.rotation, config.rotation, generator) * (math.pi / 180)
    scales = _uniform(count, 1 - config.zoom, 1, generator)
    room = 1 - scales
    shifts = [_uniform(count, -1, 1, generator) * room for _ in range(2)]
    sines, cosines = angles.sin() * scales, angles.cos() * scales
    rows = [
        torch.stack([cosines, -sines, shifts[0]], 1),
        torch.stack([sines, cosines, shifts[1]], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _jitter(images: Tensor, config: AugmentationConfig, generator: Generator) -> Tensor:
    low, high = 1 - config.color_jitter, 1 + config.color_jitter
    factors = [_uniform(len(images), low, high, generator)[:, None, None, None] for _ in range(3)]
    return saturated(contrasted(brightened(images, factors[0]), factors[1]), factors[2])


def _erase(images: Tensor, config: AugmentationConfig, generator: Generator) -> Tensor:
    count, _, height, width = images.shape
    chosen = _uniform(count, 0, 1, generator) < config.erasing
    area = _uniform(count, *_ERASED, generator)
    ratio = _uniform(count, math.log(0.3), math.log(3.3), generator).exp()
    rows = _strip(height, (area * ratio).sqrt(), _uniform(count, 0, 1, generator))
    columns = _strip(width, (area / ratio).sqrt(), _uniform(count, 0, 1, generator))
    blotted = rows[:, None, :, None] & columns[:, None, None, :] & chosen[:, None, None, None]
    return images.masked_fill(blotted, 0.5)


def _strip(length: int, share: Tensor, place: Tensor) -> Tensor:
    """Return, for each image, a mask of the ``length`` lines that lie in a strip of that share."""
    share = share.clamp(max=1)
    begin = place * (1 - share)
    lines = (torch.arange(length, device=share.device) + 0.5) / length
    return (lines >= begin[:, None]) & (lines < (begin + share)[:, None])


def _add_noise(images: Tensor, config: AugmentationConfig, generator: Generator) -> Tensor:
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return images + config.noise * noise
