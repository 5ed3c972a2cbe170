"""A small convolutional network with residual connections, made for few processor seconds."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class ResidualCnnConfig(ModelConfig):
    """A convolution, and stages of two more; each halves the resolution before its batch norm."""

    kind: Literal["residual_cnn"] = "residual_cnn"
    title = "small residual CNN"
    implementation = "engine.models.images.residual_cnn:build"
    bfloat16_on_cpu: ClassVar[bool] = True

    stem: int = option(24, "Channels of the first convolution, at full resolution", ge=1, le=1024)
    channels: tuple[int, ...] = option(
        (48, 96, 192), "Channels of each stage", min_length=1, max_length=6
    )
    dropout: float = option(0.0, "Dropout before the last layer", ge=0, lt=1)
