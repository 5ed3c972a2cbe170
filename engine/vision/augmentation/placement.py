"""Random places of training images: what moves pixels moves masks and boxes alike."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from engine.config.tasks.augmentation import AugmentationConfig
from engine.config.tasks.placed_augmentation import PlacedAugmentationConfig
from engine.data.masks import IGNORED
from engine.vision.augmentation.batch import Augmentation

VISIBLE = 0.25
"""An object of which a smaller share of the box is in the image is not learned."""
NO_OBJECT = -1
"""Class number of the rows that fill up the boxes of an image."""


@dataclass(frozen=True)
class Placement:
    """For each image of a batch, the place in it that each place of the new one shows.

    With both in shares of the side, ``old = scale · new + shift``; each is ``[batch, 2]``, x and y.
    """

    scale: Tensor
    shift: Tensor

    def images(self, images: Tensor, filler: Tensor) -> Tensor:
        """``[batch, channels, height, width]`` moved; what lies outside has the colour ``filler``.

        ``filler`` is ``[channels, 1, 1]``.
        """
        moved = self._sampled(images - filler, "bilinear")
        return moved + filler

    def masks(self, masks: Tensor) -> Tensor:
        """``[batch, height, width]`` class numbers moved; what lies outside is ignored."""
        shifted = (masks[:, None].to(torch.float32)) - IGNORED
        return (self._sampled(shifted, "nearest")[:, 0] + IGNORED).round().to(masks.dtype)

    def boxes(self, boxes: Tensor) -> Tensor:
        """``[batch, objects, 5]`` moved: left, top, right, bottom in shares, and a class number."""
        scale, shift = self.scale.repeat(1, 2)[:, None], self.shift.repeat(1, 2)[:, None]
        moved = (boxes[..., :4] - shift) / scale
        first, second = moved[..., :2], moved[..., 2:]
        whole = torch.cat([torch.minimum(first, second), torch.maximum(first, second)], -1)
        inside = whole.clamp(0, 1)
        share = _area(inside) / _area(whole).clamp(min=1e-12)
        kept = (share >= VISIBLE) & (boxes[..., 4] != NO_OBJECT)
        classes = torch.where(kept, boxes[..., 4], NO_OBJECT)
        return torch.cat([inside * kept[..., None], classes[..., None]], -1)

    def _sampled(self, values: Tensor, mode: str) -> Tensor:
        # affine_grid's places run from −1 to 1.
        offset = self.scale + 2 * self.shift - 1
        rows = torch.diag_embed(self.scale)
        theta = torch.cat([rows, offset[..., None]], -1)
        grid = F.affine_grid(theta, list(values.shape), align_corners=False)
        return F.grid_sample(values, grid, mode=mode, align_corners=False)


class PlacedAugmentation:
    """Flips, zoom, and changes of colour, the same for images and their masks or boxes."""

    def __init__(self, config: PlacedAugmentationConfig) -> None:
        self._config = config
        self._colours = Augmentation(
            AugmentationConfig(color_jitter=config.color_jitter, noise=config.noise)
        )

    def place(self, count: int, generator: Generator) -> Placement | None:
        """Return random places of ``count`` images; ``None`` where nothing moves."""
        config = self._config
        if config.flip == "none" and not config.zoom:
            return None
        device = generator.device

        def uniform() -> Tensor:
            return torch.rand(count, 2, generator=generator, device=device) * 2 - 1

        side = 1 + config.zoom * uniform()[:, :1].expand(count, 2)
        shift = (1 - side) * (uniform() + 1) / 2
        axes = {"none": (0, 0), "horizontal": (1, 0), "vertical": (0, 1), "both": (1, 1)}
        flipped = (uniform() < 0) & torch.tensor(axes[config.flip], device=device).bool()
        return Placement(
            torch.where(flipped, -side, side), torch.where(flipped, shift + side, shift)
        )

    def colours(self, images: Tensor, generator: Generator) -> Tensor:
        """Images from 0 to 1, each with its colours changed."""
        return self._colours(images, generator)


def _area(boxes: Tensor) -> Tensor:
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]
