"""Transformers and mixers over patches of a window."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class PatchConfig(ModelConfig):
    """The fields that both networks share."""

    patch_size: int = option(16, "Rows in a patch", ge=1, unit="rows")
    patch_stride: int = option(8, "Rows from the start of a patch to the next", ge=1, unit="rows")
    hidden_size: int = option(64, "Hidden size", ge=1, le=8192)
    layers: int = option(3, "Number of layers", ge=1, le=64)
    dropout: float = option(0.2, "Dropout", ge=0, lt=1)
    window_norm: Literal["none", "last", "standard"] = option(
        "standard",
        "Normalization of each window: by its last value, or by its mean and standard deviation",
    )


class PatchTstConfig(PatchConfig):
    """PatchTST (Nie et al. 2023), by transformers: attention over patches of each target."""

    kind: Literal["patchtst"] = "patchtst"
    title = "PatchTST"
    implementation = "engine.models.series.patches:build_patchtst"

    heads: int = option(4, "Attention heads", ge=1, le=256)

    @model_validator(mode="after")
    def _divisible(self) -> PatchTstConfig:
        if self.hidden_size % self.heads:
            raise PydanticCustomError("not_allowed", "hidden_size must be a multiple of heads")
        return self


class PatchTsMixerConfig(PatchConfig):
    """PatchTSMixer (Ekambaram et al. 2023), by transformers: a mixer over patches."""

    kind: Literal["patchtsmixer"] = "patchtsmixer"
    title = "PatchTSMixer"
    implementation = "engine.models.series.patches:build_patchtsmixer"

    mix_columns: bool = option(False, "Mix all columns, not the rows of each target alone")
