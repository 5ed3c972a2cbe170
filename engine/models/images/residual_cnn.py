"""A small convolutional network with residual connections, for images of any size.

Batch norms and activation functions come after the pooling of their stage, at a quarter of the
pixels: on a CPU they cost about as much as convolutions. The order is that of Jordan (2024, "94% on
CIFAR-10 in 3.29 Seconds on a Single GPU").
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from engine.config.models.residual_cnn import ResidualCnnConfig
from engine.models.images.cnn import PooledClassifier
from engine.models.shapes import ImageShape


class ResidualCnn(PooledClassifier):
    """Input ``[batch, channels, height, width]``, output logits ``[batch, outputs]``."""

    def __init__(
        self, channels: int, stem: int, stages: Sequence[int], outputs: int, dropout: float
    ) -> None:
        layers: list[nn.Module] = [_convolution(channels, stem), nn.BatchNorm2d(stem), nn.GELU()]
        before = stem
        for width in stages:
            layers += [
                _convolution(before, width),
                nn.MaxPool2d(2, ceil_mode=True),  # a side of one pixel stays one
                nn.BatchNorm2d(width),
                nn.GELU(),
                Residual(width),
            ]
            before = width
        pool = nn.AdaptiveMaxPool2d(1)
        super().__init__(nn.Sequential(*layers), pool, before, outputs, dropout)


class Residual(nn.Module):
    """The sum of its input and a convolution of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = _convolution(width, width)
        self.norm = nn.BatchNorm2d(width)
        self.activation = nn.GELU()

    def forward(self, images: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        changed: Tensor = self.activation(self.norm(self.convolution(images)))
        return images + changed


def _convolution(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, bias=False)


def build(config: ResidualCnnConfig, shape: ImageShape) -> ResidualCnn:
    """The network of a section for images of ``shape``."""
    return ResidualCnn(shape.channels, config.stem, config.channels, shape.outputs, config.dropout)
