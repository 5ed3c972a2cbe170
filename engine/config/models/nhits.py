"""Multilayer perceptrons at several rates over a window."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class NHitsConfig(ModelConfig):
    """N-HiTS (Challu et al. 2022): stacks that forecast slow and fast parts of a series."""

    kind: Literal["nhits"] = "nhits"
    title = "N-HiTS"
    implementation = "engine.models.series.nhits:build"

    hidden_size: int = option(512, "Hidden size", ge=1, le=8192)
    layers: int = option(2, "Hidden layers of each stack", ge=1, le=16)
    pool_sizes: tuple[int, ...] = option(
        (2, 2, 1), "Pooling of the window, for each stack", unit="rows"
    )
    downsampling: tuple[int, ...] = option(
        (4, 2, 1), "Rows between the points that each stack forecasts; interpolated", unit="rows"
    )
    dropout: float = option(0.0, "Dropout after each hidden layer", ge=0, lt=1)
    window_norm: Literal["none", "last", "standard"] = option(
        "standard",
        "Normalization of each window: by its last value, or by its mean and standard deviation",
    )

    @model_validator(mode="after")
    def _same_number(self) -> NHitsConfig:
        pairs = (*self.pool_sizes, *self.downsampling)
        if not pairs or min(pairs) < 1 or len(self.pool_sizes) != len(self.downsampling):
            raise PydanticCustomError(
                "not_allowed", "pool_sizes and downsampling need as many numbers each, from 1 on"
            )
        return self
