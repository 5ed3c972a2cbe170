"""AutoETS and AutoTheta of statsforecast, the usual statistical forecasts of single series."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODELS = ("AutoETS", "AutoTheta")

Numbers = NDArray[np.float64]


def installed() -> bool:
    """Whether statsforecast is there."""
    return find_spec("statsforecast") is not None


class StatisticalForecast:
    """Fits a model to the past of one series, and forecasts its quantiles."""

    def __init__(self, name: str, season: int, horizon: int, levels: Sequence[float]) -> None:
        """``name`` is one of :data:`MODELS`."""
        # Seconds of imports, only once the network is trained.
        self._model: Any = getattr(import_module("statsforecast.models"), name)
        self._season = season
        self._horizon = horizon
        self._levels = levels

    def quantiles(self, past: Numbers) -> Numbers | None:
        """Return ``[horizon, levels]``; ``None`` where the model cannot be fitted.

        A past that is shorter than two seasons is taken to have none.
        """
        season = self._season if len(past) >= 2 * self._season else 1
        bands = sorted({_band(level) for level in self._levels if level != 0.5})
        try:
            forecasts = self._model(season_length=season).forecast(
                y=past, h=self._horizon, level=bands or None
            )
        except Exception:  # noqa: BLE001 — a model that cannot be fitted is left out
            return None
        found = np.stack([forecasts[_column(level)] for level in self._levels], 1)
        return found if np.isfinite(found).all() else None


def _band(level: float) -> float:
    """Return the band in percent one of whose ends is a quantile."""
    return round(abs(1 - 2 * level) * 100, 6)


def _column(level: float) -> str:
    """Return the name under which statsforecast gives a quantile; the median is its mean."""
    if level == 0.5:
        return "mean"
    return f"{'lo' if level < 0.5 else 'hi'}-{_band(level)}"
