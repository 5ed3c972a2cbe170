"""A small convolutional network for images of any size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from engine.config.models.cnn import CnnConfig
from engine.models.shapes import ImageShape


class PooledClassifier(nn.Module):
    """A linear layer over pooled features of images.

    Input ``[batch, channels, height, width]``, output logits ``[batch, outputs]``.
    """

    def __init__(
        self, features: nn.Module, pool: nn.Module, width: int, outputs: int, dropout: float
    ) -> None:
        super().__init__()
        self.features = features
        self.pool = pool
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the classes."""
        features: Tensor = self.pool(self.features(images)).flatten(1)
        logits: Tensor = self.head(self.dropout(features))
        return logits


class Cnn(PooledClassifier):
    """Stages of two convolutions; between stages the resolution is halved.

    Input ``[batch, channels, height, width]``, output logits ``[batch, outputs]``.
    """

    def __init__(self, channels: int, stages: Sequence[int], outputs: int, dropout: float) -> None:
        layers: list[nn.Module] = []
        before = channels
        for index, width in enumerate(stages):
            if index:
                # ceil: a side of one pixel stays one.
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            layers += [*_convolution(before, width), *_convolution(width, width)]
            before = width
        pool = nn.AdaptiveAvgPool2d(1)
        super().__init__(nn.Sequential(*layers), pool, before, outputs, dropout)


def _convolution(before: int, after: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]


def build(config: CnnConfig, shape: ImageShape) -> Cnn:
    """The network of a section for images of ``shape``."""
    return Cnn(shape.channels, config.channels, shape.outputs, config.dropout)
