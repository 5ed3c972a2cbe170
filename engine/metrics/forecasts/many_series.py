"""Errors of each of many series, in its own scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.reports.views import Cell, Table

Numbers = NDArray[np.float64]

_SHOWN = 200
"""Series of the table, the worst ones."""


@dataclass(frozen=True)
class OwnScales:
    """Scales of each series of the training rows, ``[series, targets]``."""

    names: Sequence[str]
    std: Numbers
    naive_error: Numbers
    """Mean absolute error of repeating the season before; 0 where it is not known."""
    naive_squared: Numbers


class SeriesErrors:
    """Sums errors by series and target on the device; new series count as one, behind the others.

    MASE and RMSSE are means over the series, as in the M4 and M5 competitions; a series whose
    training rows say nothing of it does not count there.
    """

    def __init__(self, scales: OwnScales) -> None:
        self._scales = scales
        self._sums: Tensor | None = None

    def update(self, series: Tensor, difference: Tensor, relative: Tensor, known: Tensor) -> None:
        """Take in one batch: each ``[batch, horizon, targets]``, 0 where the truth is not known."""
        parts = (difference.square(), difference.abs(), relative, known.to(difference.dtype))
        sums = torch.stack([part.sum(1) for part in parts])
        if self._sums is None:
            count = len(self._scales.names) + 1
            self._sums = sums.new_zeros((len(parts), count, sums.shape[2]))
        self._sums.index_add_(1, series, sums)

    def name(self, series: int) -> str:
        """A series' name for people."""
        names = self._scales.names
        return names[series] if series < len(names) else "new series"

    def by_target(self) -> dict[str, Numbers]:
        """The metrics of each target whose scale is that of each series."""
        if self._sums is None:
            return {}
        squared, absolute, _, counts = self._sums.cpu().double().numpy().sum(1)
        each = self._each()
        return {
            "mse_scaled": _divided(squared, counts),
            "mae_scaled": _divided(absolute, counts),
            "mase": _mean_known(each["mase"], 0),
            "rmsse": np.asarray(_mean_known(each["rmsse"], 0)),
        }

    def _each(self) -> Mapping[str, Numbers]:
        """Metrics ``[series, targets]``, NaN where nothing is known."""
        if self._sums is None:
            return {}
        squared, absolute, relative, counts = self._sums.cpu().double().numpy()
        last = np.zeros((1, squared.shape[1]))
        std, naive, naive_squared = (
            np.concatenate([part, last])
            for part in (self._scales.std, self._scales.naive_error, self._scales.naive_squared)
        )
        mae, mse = _divided(absolute, counts) * std, _divided(squared, counts) * std**2
        return {
            "mae": mae,
            "rmse": np.sqrt(mse),
            "mase": _divided(mae, naive),
            "rmsse": np.sqrt(_divided(mse, naive_squared)),
            "smape": _divided(relative, counts),
        }

    def table(self) -> Table | None:
        """Errors of each series over all targets, the worst MASE first."""
        if self._sums is None:
            return None
        columns = {name: _mean_known(values, 1) for name, values in self._each().items()}
        seen = np.flatnonzero(np.isfinite(columns["smape"]))
        order = seen[np.argsort(-np.nan_to_num(columns["mase"][seen], nan=-1), kind="stable")]
        rows: list[list[Cell]] = [
            [self.name(i), *(_cell(values[i]) for values in columns.values())]
            for i in order[:_SHOWN].tolist()
        ]
        beyond = f" (the worst {_SHOWN:,} of {len(order):,})" if len(order) > _SHOWN else ""
        return Table(f"Errors by series, worst first{beyond}", ["series", *columns], rows)


def to_common(values: Tensor, batch: Mapping[str, Tensor], mean: Tensor, std: Tensor) -> Tensor:
    """Values ``[batch, rows, targets]`` in the scales of their series, in that of all rows."""
    return values * (batch["scale"] / std) + (batch["shift"] - mean) / std


def _divided(above: Numbers, below: Numbers) -> Numbers:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _mean_known(values: Numbers, axis: int) -> Numbers:
    known = np.isfinite(values)
    sums = np.where(known, values, 0.0).sum(axis)
    return _divided(sums, known.sum(axis).astype(np.float64))


def _cell(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
