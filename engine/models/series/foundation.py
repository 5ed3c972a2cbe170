"""TimesFM 2.5 of transformers and Chronos-2 of Amazon's package as networks of a forecast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from engine.config.models.foundation import FoundationConfig
from engine.errors import TrainingError
from engine.files.sanitize import plain
from engine.models.shapes import SeriesShape
from engine.models.weights.pretrained import load_pretrained, readable, weights_of

Forecast = Callable[[Any, Tensor, int], Tensor]
"""From a network, pasts ``[series, window]`` and a horizon to ``[series, horizon, levels]``."""


class FoundationForecaster(nn.Module):
    """Forecasts each target from its own past, ``[batch, horizon, outputs]``.

    The quantiles of the network that lie next to a wanted one are interpolated.
    """

    def __init__(
        self, network: Any, forecast: Forecast, levels: Sequence[float], shape: SeriesShape
    ) -> None:
        super().__init__()
        self.network = network
        self.targets = shape.targets
        self.horizon = shape.horizon
        self._forecast = forecast
        wanted = shape.levels or (0.5,)
        self.shares: Tensor
        self.register_buffer("shares", _shares(levels, wanted), persistent=False)

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """Return the forecast; ``future`` has nothing in it, ``truth`` is ignored."""
        del future, truth
        pasts = past[..., : self.targets].transpose(1, 2).flatten(0, 1)
        quantiles = self._forecast(self.network, pasts, self.horizon)[:, : self.horizon]
        values = quantiles.to(past.dtype) @ self.shares.to(past.dtype)
        each = values.reshape(-1, self.targets, self.horizon, values.shape[2])
        return each.transpose(1, 2).flatten(2)

    def save_pretrained(self, folder: Path) -> None:
        """Weights and configuration, as the library of the network reads them."""
        self.network.save_pretrained(folder)


def _shares(levels: Sequence[float], wanted: Sequence[float]) -> Tensor:
    """``[levels, wanted]``: the weights by which levels are interpolated; the outermost stay."""
    shares = torch.zeros(len(levels), len(wanted))
    for place, level in enumerate(wanted):
        above = next((i for i, known in enumerate(levels) if known >= level - 1e-9), None)
        if above is None or above == 0:
            shares[-1 if above is None else 0, place] = 1
            continue
        part = (levels[above] - level) / (levels[above] - levels[above - 1])
        shares[above, place], shares[above - 1, place] = 1 - part, part
    return shares


def build_foundation(config: FoundationConfig, shape: SeriesShape) -> nn.Module:
    """The network of a section for series of ``shape``; raises :class:`TrainingError`."""
    if shape.channels > shape.targets or shape.features:
        raise TrainingError(
            "A pre-trained forecaster sees the past of the targets alone, and these data have "
            "other columns or features of the time beside them.",
            "Make the other columns targets (task.targets) or leave them out "
            "(data.columns.NAME=ignored), static ones too, without task.calendar, task.holidays "
            "and task.known_future; or choose another model.",
        )
    with readable(config):
        weights = weights_of(config)
        record, _ = transformers.PreTrainedConfig.get_config_dict(
            weights.place, revision=weights.revision
        )
    architectures = record.get("architectures") or [""]
    build = _BUILDERS.get(str(architectures[0]))
    if build is None:
        raise TrainingError(
            f"model.path: {plain(config.path, 200)} is a {plain(str(architectures[0]), 60)}, "
            f"not one of {', '.join(_BUILDERS)}.",
            "Choose one of these, or another model.kind.",
        )
    return build(config, shape, weights.place)


def _timesfm(config: FoundationConfig, shape: SeriesShape, place: str) -> nn.Module:
    architecture = transformers.AutoConfig.from_pretrained(place, revision=config.revision)
    longest, patch = architecture.horizon_length, architecture.patch_length
    _check(shape.horizon <= longest, f"TimesFM forecasts up to {longest:,} rows", "task.horizon")
    _check(shape.window >= patch, f"TimesFM needs {patch:,} rows of the past", "task.window")
    kind = network_class("TimesFm2_5ModelForPrediction")
    return forecaster(load_pretrained(config, kind, architecture, torch.float32), shape)


def _by_timesfm(network: Any, pasts: Tensor, horizon: int) -> Tensor:
    """Read the last whole patches of the window.

    Forecasts are not cut off at zero: transformers 5.24 does so for all series of a batch or none.
    """
    del horizon
    patch = network.config.patch_length
    context = pasts.shape[1] // patch * patch
    outputs = network(list(pasts), forecast_context_len=context, truncate_negative=False)
    quantiles: Tensor = outputs.full_predictions[..., 1:]  # behind the mean
    return quantiles


def _chronos(config: FoundationConfig, shape: SeriesShape, place: str) -> nn.Module:
    if find_spec("chronos") is None:
        raise TrainingError(
            "Chronos-2 needs the package chronos-forecasting.",
            "Install it with: pip install 'dltui[chronos]'.",
        )
    kind = network_class("Chronos2Model")
    architecture = kind.config_class.from_pretrained(place, revision=config.revision)
    settings = architecture.chronos_config
    longest = settings["max_output_patches"] * settings["output_patch_size"]
    _check(shape.horizon <= longest, f"Chronos-2 forecasts up to {longest:,} rows", "task.horizon")
    return forecaster(load_pretrained(config, kind, architecture, torch.float32), shape)


def _by_chronos(network: Any, pasts: Tensor, horizon: int) -> Tensor:
    patches = -(-horizon // network.chronos_config.output_patch_size)
    outputs = network(context=pasts, num_output_patches=patches)
    quantiles: Tensor = outputs.quantile_preds.transpose(1, 2)
    return quantiles


def _check(fits: bool, limit: str, field: str) -> None:
    if not fits:
        raise TrainingError(f"{limit}.", f"Change {field}, or choose another model.")


def network_class(name: str) -> Any:
    """Return the class of a network from the library that has it."""
    if hasattr(transformers, name):
        return getattr(transformers, name)
    from chronos.chronos2 import model  # an extra

    return getattr(model, name)


def forecaster(network: Any, shape: SeriesShape) -> FoundationForecaster:
    """Return a network of one of these libraries as a forecaster of series of ``shape``."""
    if type(network).__name__ == "Chronos2Model":
        levels = network.chronos_config.quantiles
        return FoundationForecaster(network, _by_chronos, tuple(levels), shape)
    return FoundationForecaster(network, _by_timesfm, tuple(network.config.quantiles), shape)


_BUILDERS = {"TimesFm2_5ModelForPrediction": _timesfm, "Chronos2Model": _chronos}
