"""LSTM and GRU for series."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class RecurrentConfig(ModelConfig):
    """The fields that all recurrent networks share."""

    implementation = "engine.models.series.recurrent:build"
    cell: ClassVar[Literal["lstm", "gru"]]

    hidden_size: int = option(64, "Hidden size", ge=1, le=8192)
    layers: int = option(1, "Number of recurrent layers", ge=1, le=16)
    dropout: float = option(0.0, "Dropout between layers and before the output", ge=0, lt=1)
    decoder: Literal["direct", "step_by_step"] = option(
        "direct", "Forecast all steps at once (direct), or one after another with a decoder"
    )
    scheduled_sampling_steps: int = option(
        1000,
        "Scheduled sampling: batches until the decoder only gets its own outputs; 0 from the start",
        ge=0,
        advanced=True,
    )
    window_norm: Literal["none", "last", "standard"] = option(
        "last",
        "Normalization of each window: by its last value, or by its mean and standard deviation",
    )


class LstmConfig(RecurrentConfig):
    """Long short-term memory (Hochreiter and Schmidhuber 1997)."""

    kind: Literal["lstm"] = "lstm"
    title = "LSTM"
    cell = "lstm"


class GruConfig(RecurrentConfig):
    """Gated recurrent units (Cho et al. 2014)."""

    kind: Literal["gru"] = "gru"
    title = "GRU"
    cell = "gru"
