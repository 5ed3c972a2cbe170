"""A small detector without anchors."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

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
        "4", "Pixels of a cell of the heat map; objects must be a few cells apart"
    )

    @model_validator(mode="after")
    def _has_stages(self) -> CenterNetConfig:
        least = self.halvings + 1
        if len(self.channels) < least:
            raise PydanticCustomError(
                "not_allowed",
                "a stride of {stride} needs {least} stages of channels or more",
                {"field": "channels", "stride": self.stride, "least": least},
            )
        return self

    @property
    def halvings(self) -> int:
        """How many times the side is halved at the stride."""
        return int(self.stride).bit_length() - 1
