"""Statistical forecasts of windows that a network is judged on, each from its whole past."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.baselines.baseline import Baseline
from engine.batches.source import Batch, Source
from engine.data.raw import VALIDATION, RawData
from engine.data.series.filled_past import known_rows
from engine.data.series.panel import Rows, find_keys, key_texts
from engine.data.series.panel_splits import split_panel
from engine.data.series.splits import series_note, split_series
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.pipelines.series.fitted import SeriesFitted
from engine.tasks.task import Task

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Forecaster = Callable[[Numbers], Numbers | None]
"""Returns quantiles ``[horizon, levels]`` from the past of one series, where it can."""

LONGEST = 1000
"""Rows of the past that are used at most: the time of a fit grows with them."""
_MORE = "A higher task.baseline_seconds gives it more windows."


@dataclass(frozen=True)
class History:
    """The targets of all splits, by series and time."""

    starts: Rows
    """``[series + 1]``"""
    times: Rows
    values: Numbers
    """``[rows, targets]``"""
    filled: Mask
    """``[rows, targets]``, the values that were filled in."""

    def before(self, series: int, last: int) -> Numbers:
        """Return the rows of a series up to the time ``last``, ``[rows, targets]``.

        None for a series that was not in training. What was filled in at their end is the last
        value before it, not one that leads to the next.
        """
        if series >= len(self.starts) - 1:
            return self.values[:0]
        begin, end = self.starts[series : series + 2].tolist()
        end = begin + int(np.searchsorted(self.times[begin:end], last, side="right"))
        rows = slice(max(begin, end - LONGEST), end)
        values, filled = self.values[rows], self.filled[rows]
        if not len(values) or not filled[-1].any():
            return values
        before, until = known_rows(filled, np.array([0, len(values)]))
        held = np.take_along_axis(values, before, 0)
        return np.where(until < len(values), values, held)


def history_of(raw: RawData, fitted: SeriesFitted) -> History:
    """Return the targets of all splits without their rows of context, which are repeated."""
    parts = [_own_rows(table, fitted) for table in raw.splits.values() if table.num_rows]
    series, times, values, filled = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort([times, series])
    count = 1 if fitted.own is None else len(fitted.own.keys[0])
    starts = np.searchsorted(series[order], np.arange(count + 1))
    return History(starts, times[order], values[order], filled[order])


def _own_rows(table: Any, fitted: SeriesFitted) -> tuple[Rows, Rows, Numbers, Mask]:
    """The place in training, time, targets and marks of each row that is not context."""
    count = len(fitted.targets)
    if fitted.own is None:
        rows, first = split_series(table), series_note(table).context
        times = rows.times[first:]
        places, marks = np.zeros(len(times), np.int64), _marks(rows.values, rows.filled)
        return places, times, rows.values[first:, :count], marks[first:, :count]
    panel, context = split_panel(table)
    places = find_keys(fitted.own.keys, key_texts(panel.keys, fitted.series))
    own = (panel.steps >= np.repeat(context, panel.lengths)) & (places[panel.codes] >= 0)
    marks = _marks(panel.values, panel.filled)[own, :count]
    return places[panel.codes][own], panel.times[own], panel.values[own, :count], marks


def _marks(values: Numbers, filled: Mask | None) -> Mask:
    return np.zeros(values.shape, np.bool_) if filled is None else filled


class _Given(nn.Module):
    """Returns a forecast that was made before."""

    def __init__(self, forecast: Tensor) -> None:
        super().__init__()
        self._forecast = forecast

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        del past, future
        return self._forecast


@dataclass(frozen=True)
class Contest:
    """The windows that baselines forecast, and how these are evaluated."""

    source: Source
    history: History
    units: Callable[[Batch], tuple[Numbers, Numbers]]
    """Mean and deviation of the targets of a batch."""
    evaluator: Callable[[], Evaluator]

    def result(self, name: str, forecaster: Forecaster, seconds: float) -> Baseline:
        """Evaluate a baseline on the windows that it forecasts in ``seconds``, and a fit longer.

        They are drawn at random, the same for each baseline.
        """
        end = time.monotonic() + seconds
        total, asked, made = len(self.source), 0, {}
        for window, batch in self._drawn():
            asked += 1
            forecast = self._forecast(batch, forecaster)
            if forecast is not None:
                made[window] = forecast
            if time.monotonic() > end:
                break
        advice = _MORE if asked < total else ""
        if not made:
            why = f"it could be fitted to none of {asked:,} windows in {seconds:.3g} s. {advice}"
            return Baseline(name, Evaluation({}), missing=why.rstrip())
        evaluator = self.evaluator()
        chosen = sorted(made)
        for window in chosen:
            evaluator.update(_Given(made[window]), self._batch(window))
        found = evaluator.compute()
        errors = np.full(total, np.nan)
        errors[chosen] = found.errors
        apart = max(1, round(found.block * len(chosen) / total))
        share = "" if len(chosen) == total else f" ({len(chosen):,} of {total:,} windows"
        share += f" in {seconds:.3g} s)" if share else ""
        judged = type(found)(found.metrics, errors=errors, block=apart)
        return Baseline(name + share, judged, advice=advice)

    def _drawn(self) -> Iterator[tuple[int, Batch]]:
        for window in np.random.default_rng(0).permutation(len(self.source)).tolist():
            yield window, self._batch(window)

    def _batch(self, window: int) -> Batch:
        return next(iter(self.source.read([torch.tensor([window])])))

    def _forecast(self, batch: Batch, forecaster: Forecaster) -> Tensor | None:
        """``[1, horizon, targets, levels]`` in the scale of the batch."""
        series = int(batch.inputs["series"]) if "series" in batch.inputs else 0
        past = self.history.before(series, int(batch.inputs["time"]))
        each = [forecaster(column) for column in past.T] if len(past) else [None]
        known = [quantiles for quantiles in each if quantiles is not None]
        if len(known) < len(each):
            return None
        mean, std = (part.reshape(1, 1, -1, 1) for part in self.units(batch))
        scaled = (np.stack(known, 1)[None] - mean) / std
        return torch.from_numpy(scaled.astype(np.float32))


def compete(
    contest: Contest, forecasters: Sequence[tuple[str, Forecaster]], seconds: float
) -> list[Baseline]:
    """Evaluate each baseline in an equal part of ``seconds``."""
    part = seconds / max(1, len(forecasters))
    return [contest.result(name, forecaster, part) for name, forecaster in forecasters]


def calibrated(
    task: Task[SeriesFitted], network: nn.Module, raw: RawData, fitted: SeriesFitted
) -> SeriesFitted:
    """Return the state with the bands of another network than the trained one.

    They are fitted on the validation rows; without these there are none.
    """
    fitted = fitted.model_copy(update={"bands": []})
    table, calibration = raw.splits.get(VALIDATION), task.calibration(fitted)
    if table is None or not table.num_rows or calibration is None:
        return fitted
    calibrator = calibration.evaluator()
    source = task.encode(table, fitted, torch.device("cpu"), lambda event: None)
    for batch in source.read(source.plan(task.config.train.batch_rows)):
        calibrator.update(network, batch)
    found: SeriesFitted = calibrator.compute().fitted
    return found
