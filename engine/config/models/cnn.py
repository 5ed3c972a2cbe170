"""A small convolutional network."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class CnnConfig(ModelConfig):
    """Stages of two 3×3 convolutions with batch norm, each at half the resolution of the last."""

    kind: Literal["cnn"] = "cnn"
    title = "small CNN"
    implementation = "engine.models.images.cnn:build"

    channels: tuple[int, ...] = option(
        (32, 64), "Channels of each stage", min_length=1, max_length=6
    )
    dropout: float = option(0.1, "Dropout before the last layer", ge=0, lt=1)
