"""A small U-Net: a class for each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.config.models.unet import UNetConfig
from engine.models.shapes import ImageShape


class FeaturePyramid(nn.Module):
    """Stages down and up again; each stage up sees that of the same resolution on the way down.

    Input ``[batch, channels, height, width]``, output ``[batch, stages[finest], height / 2ⁿ,
    width / 2ⁿ]`` for ``finest`` = n.
    """

    def __init__(self, channels: int, stages: Sequence[int], finest: int = 0) -> None:
        super().__init__()
        widths = [channels, *stages]
        self.down = nn.ModuleList(
            _double(before, after) for before, after in zip(widths, stages, strict=False)
        )
        self.up = nn.ModuleList(
            _double(stages[place] + stages[place + 1], stages[place])
            for place in reversed(range(finest, len(stages) - 1))
        )

    def forward(self, images: Tensor) -> Tensor:
        """Features at the finest resolution that is asked for."""
        passed: list[Tensor] = []
        features = images
        for place, stage in enumerate(self.down):
            features = stage(F.max_pool2d(features, 2) if place else features)
            passed.append(features)
        for stage, beside in zip(self.up, reversed(passed[:-1]), strict=False):
            larger = F.interpolate(features, scale_factor=2.0, mode="nearest")
            features = stage(torch.cat([beside, larger], 1))
        return features


class UNet(nn.Module):
    """Input ``[batch, channels, side, side]``, output logits ``[batch, outputs, side, side]``."""

    def __init__(self, channels: int, stages: Sequence[int], outputs: int, dropout: float) -> None:
        super().__init__()
        self.features = FeaturePyramid(channels, stages)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(stages[0], outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the classes of each pixel."""
        logits: Tensor = self.head(self.dropout(self.features(images)))
        return logits


def _double(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (before, after):
        layers += [
            nn.Conv2d(width, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def build(config: UNetConfig, shape: ImageShape) -> UNet:
    """The network of a section for images of ``shape``."""
    return UNet(shape.channels, config.channels, shape.outputs, config.dropout)
