"""TSMixer (Chen et al. 2023, "TSMixer: An All-MLP Architecture for Time Series Forecasting")."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from engine.config.models.tsmixer import TsMixerConfig
from engine.models.series.dlinear import by_step
from engine.models.series.future_effect import future_effect
from engine.models.series.window_norm import with_window_norm
from engine.models.shapes import SeriesShape


class TsMixer(nn.Module):
    """Mixes the rows of each column, then the columns of each row, then projects onto the horizon.

    Each mixing is added to its input (figure 1); windows are normalised by layer norm over rows
    and columns. What is known of the future adds to the forecast ``[batch, horizon, outputs]``.
    """

    def __init__(self, config: TsMixerConfig, shape: SeriesShape) -> None:
        super().__init__()
        columns = shape.channels + shape.features
        self.mixers = nn.Sequential(
            *(
                _Mixing(shape.window, columns, config.hidden_size, config.dropout)
                for _ in range(config.layers)
            )
        )
        self.head = nn.Linear(shape.window, shape.horizon * shape.values)
        self.calendar = future_effect(shape)
        self.targets = shape.targets
        self.values = shape.values

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """Return the forecast; ``truth`` is ignored."""
        del truth
        mixed = self.mixers(past)[..., : self.targets].transpose(1, 2)
        forecast = by_step(self.head(mixed), self.values)
        return forecast if self.calendar is None else forecast + self.calendar(future)


class _Mixing(nn.Module):
    def __init__(self, window: int, columns: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.row_norm = nn.LayerNorm((window, columns))
        self.rows = nn.Linear(window, window)
        self.column_norm = nn.LayerNorm((window, columns))
        self.inner = nn.Linear(columns, hidden_size)
        self.outer = nn.Linear(hidden_size, columns)
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor) -> Tensor:
        """Mix ``[batch, window, columns]``."""
        rows = self.rows(self.row_norm(values).transpose(1, 2))
        values = values + self.dropout(F.relu(rows)).transpose(1, 2)
        inner = self.dropout(F.relu(self.inner(self.column_norm(values))))
        mixed: Tensor = values + self.dropout(self.outer(inner))
        return mixed


def build(config: TsMixerConfig, shape: SeriesShape) -> nn.Module:
    """The network of a section for series of ``shape``."""
    network = TsMixer(config, shape)
    return with_window_norm(network, config.window_norm, shape.channels, shape.targets)
