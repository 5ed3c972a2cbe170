"""Forecasts of single series to look through on a screen.

Those of a split stand against the truth, the worst first; others are of what comes behind a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.batches.source import Batch, Source
from engine.data.series.panel_windows import PanelWindowSource
from engine.data.series.windows import WindowSource
from engine.files.sanitize import plain
from engine.metrics.forecasts.bands import Bands
from engine.metrics.forecasts.pictures import coming_picture, forecast_picture, past_of
from engine.pipelines.series.fitted import SeriesFitted, frequency_of, written_time
from engine.reports.gallery import Gallery
from engine.reports.views import Cell, Lines
from engine.tasks.many_series import own_scales, shown_names

Numbers = NDArray[np.float64]
Units = Callable[[Batch, SeriesFitted], tuple[Numbers, Numbers]]
Forward = Callable[[Batch], Tensor]

MOST = 5_000
"""Forecasts that are kept, those with the largest errors."""
_CUTS = 40
"""Forecasts of all series together, at least where there are windows for them."""
_COMING = 500
"""Forecasts of what is not known yet that are drawn."""
_BATCH = 256
_ERRORS = ("mase", "mae", "rmse", "smape")


@dataclass(frozen=True, slots=True)
class _Case:
    """One series of one target behind one cut, in units of the data; unknown truths are NaN."""

    series: str
    target: str
    time: int
    past: Numbers
    past_known: NDArray[np.bool_]
    """Whether a value was not filled in."""
    truth: Numbers
    forecast: Numbers
    bands: dict[str, Numbers]
    errors: tuple[float, ...]


class ForecastCases:
    """Forecasts windows of a source, and draws them."""

    def __init__(self, fitted: SeriesFitted, units: Units, timed: bool) -> None:
        """``units`` returns those of a batch; ``timed`` tells whether rows have times."""
        self._fitted = fitted
        self._units = units
        self._frequency = frequency_of(fitted)
        self._timed = timed
        self._naive = _naive_errors(fitted)

    def known(
        self,
        forward: Forward,
        bands_at: Callable[[Tensor], Bands],
        source: WindowSource | PanelWindowSource,
        apart: int,
    ) -> Gallery:
        """The latest window of each series against the truth; of a few series, earlier ones too.

        ``bands_at`` returns the bands of windows by their numbers; these are ``apart`` steps from
        each other.
        """
        windows = source.latest(apart, _CUTS)
        cases: list[_Case] = []
        for first in range(0, len(windows), _BATCH):
            rows = windows[first : first + _BATCH]
            [batch] = source.read([rows])
            cases += self._cases(batch, forward(batch), bands_at(rows))
            if len(cases) > 2 * MOST:
                cases = sorted(cases, key=_badness)[:MOST]
        cases = sorted(cases, key=_badness)[:MOST]
        columns = self._columns(cases)
        return Gallery(
            "Forecasts",
            [*columns, *_ERRORS],
            [[*(columns[name](case) for name in columns), *map(_cell, case.errors)]
             for case in cases],
            [self._picture(case) for case in cases],
            len(windows) * len(self._fitted.targets),
        )  # fmt: skip

    def coming(
        self, forward: Forward, bands_of: Callable[[Batch], Bands], source: Source
    ) -> Gallery:
        """The forecasts behind all windows of a source, in its order, after all of their past.

        ``bands_of`` returns the bands of a batch.
        """
        targets = len(self._fitted.targets)
        cases: list[_Case] = []
        windows = torch.arange(min(len(source), -(-_COMING // targets)))
        for batch in source.read(torch.split(windows, _BATCH)):
            cases += self._cases(batch, forward(batch), bands_of(batch), coming=True)
        columns = self._columns(cases) | _LEVELS
        return Gallery(
            "Forecasts",
            [*columns],
            [[column(case) for column in columns.values()] for case in cases],
            [self._coming_picture(case) for case in cases],
            len(source) * targets,
            ranked=False,
        )

    def _columns(self, cases: Sequence[_Case]) -> dict[str, Callable[[_Case], Cell]]:
        """The name that tells the cases apart."""
        columns: dict[str, Callable[[_Case], Cell]] = {}
        if self._fitted.series:
            columns[", ".join(plain(name, 40) for name in self._fitted.series)] = _series
        if len(self._fitted.targets) > 1:
            columns["target"] = _target
        columns["after"] = self._after
        return columns

    def _after(self, case: _Case) -> str:
        return self._frequency.text(case.time) if self._timed else f"row {case.time + 1:,}"

    def _cases(
        self, batch: Batch, returned: Tensor, bands: Bands, coming: bool = False
    ) -> Iterator[_Case]:
        """Yield the forecasts of a batch, those ``coming`` with all of the past and no truth."""
        returned = returned.float().cpu()
        mean, std = self._units(batch, self._fitted)
        seen, past_known = past_of(batch.inputs, len(self._fitted.targets))
        shown = slice(None) if coming else slice(-2 * batch.targets.shape[1], None)
        marks = past_known[:, shown].cpu().numpy()
        forecast, truth, past = (
            part.float().cpu().double().numpy() * std + mean
            for part in (
                bands.point(returned),
                batch.targets,
                seen[:, shown],
            )
        )
        if coming:
            truth = np.full_like(truth, np.nan)
        elif (known := batch.inputs.get("known")) is not None:
            truth = np.where(known.cpu().numpy(), truth, np.nan)
        ends = _ends_of(bands, returned, mean, std)
        names = shown_names(batch)
        places = batch.inputs.get("series", torch.zeros(len(truth), dtype=torch.long)).tolist()
        errors = _errors(forecast, truth, self._naive[places])
        for i, time in enumerate(batch.inputs["time"].tolist()):
            name = ", ".join(names[i].values())
            for j, target in enumerate(self._fitted.targets):
                # Copies: a part of an array would keep the whole of it in memory.
                yield _Case(
                    name,
                    target,
                    time,
                    past[i, :, j].copy(),
                    marks[i, :, j].copy(),
                    truth[i, :, j].copy(),
                    forecast[i, :, j].copy(),
                    {level: values[i, :, j].copy() for level, values in ends.items()},
                    tuple(errors[i, j].tolist()),
                )

    def _picture(self, case: _Case) -> Lines:
        picture = forecast_picture(
            self._name(case), case.past, case.past_known, case.truth, case.forecast, case.bands
        )
        return self._dated(picture, case, self._frequency.text)

    def _coming_picture(self, case: _Case) -> Lines:
        name = self._name(case)
        picture = coming_picture(name, case.past, case.past_known, case.forecast, case.bands)
        return self._dated(picture, case, lambda time: str(written_time(self._fitted, time)))

    def _name(self, case: _Case) -> str:
        names = [case.series] * bool(case.series)
        names += [case.target] * (len(self._fitted.targets) > 1 or not names)
        return ", ".join(names)

    def _dated(self, picture: Lines, case: _Case, text: Callable[[int], str]) -> Lines:
        if not self._timed:
            return picture
        times = self._frequency.along(case.time, np.array(picture.x, np.int64))
        return replace(picture, labels=[text(time) for time in times.tolist()])


def _ends_of(bands: Bands, returned: Tensor, mean: Numbers, std: Numbers) -> dict[str, Numbers]:
    """The ends of the widest band ``[batch, horizon, targets]``, by their levels."""
    quantiles = bands.quantiles(returned)
    if quantiles is None:
        return {}
    ends = sorted({0, len(bands.levels) - 1} - {bands.median})
    return {
        f"{bands.levels[end]:g}": quantiles[..., end].double().numpy() * std + mean for end in ends
    }


def _series(case: _Case) -> str:
    return case.series


def _target(case: _Case) -> str:
    return case.target


def _before(case: _Case) -> Cell:
    """The mean over as many rows as are forecast, of what was not filled in."""
    values, known = (part[-len(case.forecast) :] for part in (case.past, case.past_known))
    known = known & np.isfinite(values)
    return _cell(float(values[known].mean())) if known.any() else None


def _mean_forecast(case: _Case) -> Cell:
    return _cell(float(case.forecast.mean()))


_LEVELS: dict[str, Callable[[_Case], Cell]] = {
    "mean before": _before,
    "mean ahead": _mean_forecast,
}


def _naive_errors(fitted: SeriesFitted) -> Numbers:
    """Errors of repeating the season before ``[series, targets]``, NaN where they are not known."""
    known = np.array([fitted.naive_error])
    if fitted.own is not None:
        naive = own_scales(fitted.series, fitted.own).naive_error
        known = np.concatenate([naive, np.zeros((1, naive.shape[1]))])
    return np.where(known > 0, known, np.nan)


def _errors(forecast: Numbers, truth: Numbers, naive: Numbers) -> Numbers:
    """MASE, MAE, RMSE and SMAPE ``[batch, targets, 4]`` over the steps whose truth is known."""
    known = np.isfinite(truth)
    count = np.where(known.any(1), known.sum(1), np.nan)
    truth = np.where(known, truth, 0.0)
    error = np.abs(forecast - truth) * known
    both = np.maximum(np.abs(forecast) + np.abs(truth), np.finfo(np.float64).tiny)
    mae, rmse = error.sum(1) / count, np.sqrt((error**2).sum(1) / count)
    return np.stack([mae / naive, mae, rmse, (200 * error / both).sum(1) / count], 2)


def _badness(case: _Case) -> tuple[float, float]:
    """The order, the worst first: by MASE, then by SMAPE where that is not known."""
    mase, *_, smape = case.errors
    return (-np.nan_to_num(mase, nan=-1.0), -np.nan_to_num(smape, nan=-1.0))


def _cell(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
