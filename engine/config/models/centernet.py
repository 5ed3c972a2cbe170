"""A small detector without anchors."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class CenterNetConfig(ModelConfig):
    """CenterNet (Zhou et al. 2019): peaks of a heat map are objects, on a small U-Net."""

    kind: Literal["centernet"] = "centernet"
    title = "CenterNet, small"
    implementation = "engine.models.images.centernet:build"

    channels: tuple[int, ...] = option(
        (16, 32, 64, 128), "Channels of each stage, from full resolution down", min_length=2,
        max_length=6,
    )  # fmt: skip
    stride: int = option(
        4,
        "Pixels of a cell of the heat map: 2, 4 or 8, at most those of the last stage; the middles "
        "of objects must be a few cells apart",
        ge=2,
        le=8,
    )

    @field_validator("stride")
    @classmethod
    def _is_a_power(cls, value: int) -> int:
        if value not in (2, 4, 8):
            raise PydanticCustomError("not_allowed", "must be 2, 4 or 8")
        return value

    @property
    def halvings(self) -> int:
        """The number of times that the side is halved for the heat map."""
        return min(self.stride.bit_length(), len(self.channels)) - 1
