"""Recurrent networks that forecast many steps: all at once, or one after the other."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from engine.config.models.recurrent import RecurrentConfig
from engine.models.series.future_effect import future_effect
from engine.models.series.lstm import Lstm
from engine.models.series.window_norm import with_window_norm
from engine.models.shapes import SeriesShape

Cell = Literal["lstm", "gru"]
_CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": Lstm, "gru": nn.GRU}


def _recurrent(cell: Cell, inputs: int, hidden_size: int, layers: int, dropout: float) -> nn.Module:
    between = dropout if layers > 1 else 0.0
    return _CELLS[cell](inputs, hidden_size, layers, batch_first=True, dropout=between)


class DirectRecurrent(nn.Module):
    """Reads the window and forecasts all steps of the horizon from its last state.

    ``past`` is ``[batch, window, channels + features]``, ``future`` ``[batch, horizon, features]``,
    the forecast ``[batch, horizon, outputs]``. What is known of the future adds to it step by step.
    """

    def __init__(
        self, cell: Cell, shape: SeriesShape, hidden_size: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        inputs = shape.channels + shape.features
        self.encoder = _recurrent(cell, inputs, hidden_size, layers, dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden_size, shape.horizon * shape.outputs)
        self.calendar = future_effect(shape)
        self.outputs = shape.outputs

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """Return the forecast; ``truth`` is ignored."""
        del truth
        outputs, _ = self.encoder(past)
        forecast: Tensor = self.head(self.dropout(outputs[:, -1])).unflatten(1, (-1, self.outputs))
        return forecast if self.calendar is None else forecast + self.calendar(future)


class EncoderDecoder(nn.Module):
    """One network encodes the window, another decodes from its state, step by step.

    The decoder is fed the last value and what is known of the step to come. In training it is fed
    the true value rather than its own with a probability that falls from 1 to 0 over the first
    ``sampling_steps`` batches (scheduled sampling with linear decay, Bengio et al. 2015), drawn for
    each series of the batch from torch's global generator. The count of batches is a buffer, so
    that a resumed run continues with it.
    """

    updates: Tensor

    def __init__(
        self,
        cell: Cell,
        shape: SeriesShape,
        hidden_size: int,
        layers: int,
        dropout: float,
        sampling_steps: int,
    ) -> None:
        super().__init__()
        inputs = shape.channels + shape.features
        self.encoder = _recurrent(cell, inputs, hidden_size, layers, dropout)
        inputs = shape.targets + shape.features
        self.decoder = _recurrent(cell, inputs, hidden_size, layers, dropout)
        self.head = nn.Linear(hidden_size, shape.outputs)
        self.values = shape.values
        self.median = shape.median
        self.horizon = shape.horizon
        self.targets = shape.targets
        self.sampling_steps = sampling_steps
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """The forecast; ``truth`` helps in training only."""
        _, state = self.encoder(past)
        value = past[:, -1:, : self.targets]
        forecast = []
        chances = self._chances(past) if self.training and truth is not None else None
        for step in range(self.horizon):
            known = torch.cat([value, future[:, step : step + 1]], 2)
            output, state = self.decoder(known, state)
            # Each step forecasts the change of the value.
            coming = value.repeat_interleave(self.values, 2) + self.head(output)
            forecast.append(coming)
            value = coming[..., self.median :: self.values]
            if chances is not None and truth is not None:
                value = torch.where(chances[step], truth[:, step : step + 1], value)
        return torch.cat(forecast, 1)

    def _chances(self, past: Tensor) -> Tensor:
        """For each step and series whether the true value is fed, ``[horizon, batch, 1, 1]``."""
        share = 1.0 - self.updates / max(1, self.sampling_steps)
        self.updates += 1
        return torch.rand(self.horizon, len(past), 1, 1, device=past.device) < share


def build(config: RecurrentConfig, shape: SeriesShape) -> nn.Module:
    """The network of a section for series of ``shape``."""
    size = (config.hidden_size, config.layers, config.dropout)
    network: nn.Module
    if config.decoder == "direct":
        network = DirectRecurrent(config.cell, shape, *size)
    else:
        network = EncoderDecoder(config.cell, shape, *size, config.scheduled_sampling_steps)
    return with_window_norm(network, config.window_norm, shape.channels, shape.targets)
