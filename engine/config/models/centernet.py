"""A small detector without anchors."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class CenterNetConfig(ModelConfig):
    """CenterNet (Zhou et al. 2019): peaks of a heat map are objects, on a small U-Net."""

    kind: Literal["centernet"] = "centernet"
    title = "CenterNet, small"
    implementation = "engine.models.centernet:build"

    channels: tuple[int, ...] = option(
        (16, 32, 64, 128), "Channels of each stage, from full resolution down", min_length=2,
        max_length=6,
    )  # fmt: skip
    stride: Literal["2", "4", "8"] = option(
        "4",
        "Pixels of a cell of the heat map, at most those of the last stage; objects must be a few "
        "cells apart",
    )

    @property
    def halvings(self) -> int:
        """How many times the side is halved for the heat map."""
        return min(int(self.stride).bit_length(), len(self.channels)) - 1
