"""A small U-Net."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class UNetConfig(ModelConfig):
    """U-Net (Ronneberger et al. 2015) with batch norm: a class for each pixel."""

    kind: Literal["unet"] = "unet"
    title = "U-Net"
    implementation = "engine.models.images.unet:build"

    channels: tuple[int, ...] = option(
        (16, 32, 64), "Channels of each stage, from full resolution down", min_length=1,
        max_length=6,
    )  # fmt: skip
    dropout: float = option(0.0, "Dropout before the last layer", ge=0, lt=1)
