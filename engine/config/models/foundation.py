"""Forecasters that were trained on many series of others: TimesFM and Chronos-2."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.models.pretrained import WeightsConfig


class FoundationConfig(WeightsConfig):
    """A pre-trained forecaster by its name on the hub, used as it is or fine-tuned.

    With ``train.max_steps=0`` it forecasts as it is (zero-shot).
    """

    kind: Literal["foundation"] = "foundation"
    title = "pre-trained forecaster"
    implementation = "engine.models.series.foundation:build_foundation"

    path: str = option(
        "google/timesfm-2.5-200m-transformers",
        "Name on the Hugging Face hub, a folder, or a finished run: TimesFM 2.5, or Chronos-2 such "
        "as amazon/chronos-2, which needs dltui[chronos]",
        min_length=1,
    )
