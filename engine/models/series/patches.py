"""PatchTST and PatchTSMixer of transformers, with a head for any number of quantiles."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import (
    PatchTSMixerConfig,
    PatchTSMixerModel,
    PatchTSTConfig,
    PatchTSTModel,
)

from engine.config.models.patches import PatchConfig, PatchTsMixerConfig, PatchTstConfig
from engine.errors import TrainingError
from engine.models.series.dlinear import by_step
from engine.models.series.future_effect import future_effect
from engine.models.series.window_norm import with_window_norm
from engine.models.shapes import SeriesShape


class PatchForecaster(nn.Module):
    """The states of all patches of a target, side by side, are projected onto the horizon.

    The forecast is ``[batch, horizon, outputs]``; what is known of the future adds to it.
    """

    def __init__(
        self, body: nn.Module, patches: int, hidden_size: int, dropout: float, shape: SeriesShape
    ) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(patches * hidden_size, shape.horizon * shape.values)
        self.calendar = future_effect(shape)
        self.channels = shape.channels
        self.targets = shape.targets
        self.values = shape.values

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """Return the forecast; ``truth`` is ignored."""
        del truth
        states = self.body(past_values=past[..., : self.channels]).last_hidden_state
        states = states[:, : self.targets].flatten(2)
        forecast = by_step(self.head(self.dropout(states)), self.values)
        return forecast if self.calendar is None else forecast + self.calendar(future)


def _settings(config: PatchConfig, shape: SeriesShape) -> dict[str, Any]:
    """Arguments of both configurations; windows are normalised outside of the network."""
    if config.patch_size > shape.window:
        raise TrainingError(
            f"A patch has {config.patch_size:,} rows, the window {shape.window:,}.",
            "Lower model.patch_size or raise task.window.",
        )
    return {
        "num_input_channels": shape.channels,
        "context_length": shape.window,
        "prediction_length": shape.horizon,
        "patch_length": config.patch_size,
        "patch_stride": config.patch_stride,
        "d_model": config.hidden_size,
        "scaling": None,
    }


def _forecaster(body: nn.Module, config: PatchConfig, shape: SeriesShape) -> nn.Module:
    patches = (shape.window - config.patch_size) // config.patch_stride + 1
    network = PatchForecaster(body, patches, config.hidden_size, config.dropout, shape)
    return with_window_norm(network, config.window_norm, shape.channels, shape.targets)


def build_patchtst(config: PatchTstConfig, shape: SeriesShape) -> nn.Module:
    """The network of a section for series of ``shape``."""
    settings = PatchTSTConfig(
        **_settings(config, shape),
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        ffn_dim=2 * config.hidden_size,
        attention_dropout=config.dropout,
        ff_dropout=config.dropout,
        positional_dropout=config.dropout,
    )
    return _forecaster(PatchTSTModel(settings), config, shape)


def build_patchtsmixer(config: PatchTsMixerConfig, shape: SeriesShape) -> nn.Module:
    """The network of a section for series of ``shape``."""
    settings = PatchTSMixerConfig(
        **_settings(config, shape),
        num_layers=config.layers,
        dropout=config.dropout,
        mode="mix_channel" if config.mix_columns else "common_channel",
    )
    return _forecaster(PatchTSMixerModel(settings), config, shape)
