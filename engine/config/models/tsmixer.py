"""Linear layers over time and over columns, in turn."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class TsMixerConfig(ModelConfig):
    """TSMixer (Chen et al. 2023): small, and learns from all columns together."""

    kind: Literal["tsmixer"] = "tsmixer"
    title = "TSMixer"
    implementation = "engine.models.series.tsmixer:build"

    layers: int = option(2, "Mixing layers", ge=1, le=64)
    hidden_size: int = option(64, "Hidden size of the mixing over columns", ge=1, le=8192)
    dropout: float = option(0.1, "Dropout", ge=0, lt=1)
    window_norm: Literal["none", "last", "standard"] = option(
        "standard",
        "Normalization of each window: by its last value, or by its mean and standard deviation",
    )
