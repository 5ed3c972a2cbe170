"""A network that sees each image and its mirror image: test-time flip, as a part of programs."""

from __future__ import annotations

from torch import Tensor, nn


def both_sides(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits of images and those of their mirror images."""
    return network(images), network(images.flip(-1))


class Mirrored(nn.Module):
    """The mean of the logits of ``[batch, channels, height, width]`` and of its mirror image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[batch, classes]``."""
        own, other = both_sides(self.network, images)
        return (own + other) / 2
