"""Forecasting: the next steps of one or many series, from a window of the past of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import override

from engine.baselines import statistical
from engine.baselines.baseline import Baseline
from engine.baselines.seasonal_naive import SeasonalNaive
from engine.batches.source import Batch, Source
from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.raw import RawData
from engine.data.series.frequency import Frequency
from engine.data.series.panel_windows import PanelWindowSource
from engine.data.series.time_features import count_time_features
from engine.data.series.windows import WindowSource
from engine.errors import DataError
from engine.metrics.evaluator import Evaluator
from engine.metrics.forecasts.bands import Bands
from engine.metrics.forecasts.calibrator import Calibrator
from engine.metrics.forecasts.errors import Scales
from engine.metrics.forecasts.evaluator import ForecastEvaluator, forecast_loss
from engine.models.build import build_model
from engine.models.series.quantiles import Quantiles
from engine.models.series.static import with_static
from engine.models.shapes import SeriesShape
from engine.pipelines.forecasting import ForecastingPipeline
from engine.pipelines.series.fitted import SeriesFitted, frequency_of, roles_of, written_time
from engine.pipelines.series.known_future import past_rows
from engine.reports.gallery import Gallery
from engine.reports.note import Note
from engine.reports.note_table import sentence
from engine.runs.events import Log, Report
from engine.tasks.calibration import Calibration
from engine.tasks.deployment import Deployment
from engine.tasks.forecast_baselines import Contest, calibrated, compete, history_of
from engine.tasks.galleries.forecasts import ForecastCases
from engine.tasks.latest_windows import LatestWindows, by_latest
from engine.tasks.many_series import (
    doubts_of_new,
    own_scales,
    panel_source,
    shown_names,
    trained_to,
    with_future,
)
from engine.tasks.one_series import series_source, with_unknown_future
from engine.tasks.presentation import Presentation
from engine.tasks.shown_samples import ShownSamples
from engine.tasks.task import Task


class Forecasting(Task[SeriesFitted]):
    """One network over windows of one or many series."""

    pipeline: ForecastingPipeline
    section: ForecastingConfig
    predicts_rows = False

    def encode(
        self, table: pa.Table, fitted: SeriesFitted, device: torch.device, report: Report
    ) -> Source:
        """All windows of a table."""
        del report
        if fitted.own is not None:
            panel, context = self.pipeline.panel(table, fitted)
            return panel_source(panel, context, fitted, fitted.own, self.section, device)
        return series_source(self.pipeline.series(table, fitted), fitted, self.section, device)

    def encode_new(
        self, table: pa.Table, fitted: SeriesFitted, device: torch.device, report: Report
    ) -> Source:
        """Encode the window at the end of a table, whose future is unknown.

        Rows at the end without a target are that future. Repairs are reported.
        """
        window, horizon = self.section.window, self.section.horizon
        if fitted.own is not None:
            panel, known = self.pipeline.panel_ahead(table, fitted)
            _tell(panel.notes, report)
            for doubt in doubts_of_new(panel, fitted, fitted.own, window):
                report(Log(level="warning", message=doubt))
            extended = with_future(panel, known, window)
            return panel_source(*extended, fitted, fitted.own, self.section, device)
        series, known, notes = self.pipeline.series_ahead(table, fitted)
        _tell(notes, report)
        if len(series) < window:
            raise DataError(
                f"A forecast looks back at {window:,} rows; there are {len(series):,}.",
                "Give more of the past.",
            )
        single = with_unknown_future(series, known, window, horizon)
        return series_source(single, fitted, self.section, device)

    def build_network(
        self, fitted: SeriesFitted, build: Callable[[SeriesShape], nn.Module] | None = None
    ) -> nn.Module:
        """The model's network for these columns, or the one that ``build`` returns."""
        build = build or partial(build_model, self.config.model)
        section = self.section
        past, frequency = roles_of(fitted).past, frequency_of(fitted)
        static = sum(column.width for column in fitted.static)
        known = len(fitted.mean) - past + static
        features = known + count_time_features(frequency, section.calendar, section.holidays)
        levels = section.quantiles if section.loss == "quantile" else ()
        targets = len(fitted.targets)
        shape = SeriesShape(past, targets, section.window, section.horizon, features, levels, known)
        network = with_static(build, shape, static)
        return Quantiles(network, targets) if levels else network

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Mean over windows, steps and targets whose truth is known, in standard deviations."""
        inputs = batch.inputs
        forecast = network(inputs["past"], inputs["future"], batch.targets)
        section = self.section
        losses = forecast_loss(forecast, batch.targets, section.loss, section.quantiles)
        known: torch.Tensor | None = inputs.get("known")
        if known is None:
            return losses.mean()
        return (losses * known).sum().div(known.sum().clamp(min=1))

    def evaluator(self, fitted: SeriesFitted) -> Evaluator:
        """Errors of all windows."""
        text = frequency_of(fitted).text
        name = (lambda time: text(time)) if fitted.time else (lambda time: f"row {time + 1:,}")
        scales, loss = scales_of(fitted), self.section.loss
        section = self.section
        return ForecastEvaluator(
            _forward,
            scales,
            loss,
            name,
            _bands(fitted, self.section.quantiles),
            cutoffs=section.cutoffs,
            stride=section.stride,
            dates=partial(_dates, frequency_of(fitted)) if fitted.time else None,
            own=None if fitted.own is None else own_scales(fitted.series, fitted.own),
        )

    @override
    def calibration(self, fitted: SeriesFitted) -> Calibration[SeriesFitted]:
        """Fit bands on the validation windows, and again on the latest ones of a later file."""

        def finish(factors: torch.Tensor | None) -> SeriesFitted:
            bands = [] if factors is None else factors.tolist()
            return fitted.model_copy(update={"bands": bands})

        return Calibration(
            partial(Calibrator, _forward, self.section.quantiles, finish),
            partial(self._recent, fitted=fitted),
        )

    def _recent(
        self, network: nn.Module, table: pa.Table, report: Report, fitted: SeriesFitted
    ) -> SeriesFitted:
        """Bands by the errors of the latest forecasts in the past of a file, where it has some."""
        bands = _bands(fitted, self.section.quantiles)
        if bands.factors is None:
            return fitted
        device = next(network.parameters()).device
        source, after = _past_windows(self.pipeline, table, fitted, device)
        found, said = by_latest(LatestWindows(bands, source, partial(_forward, network)), after)
        report(Log(level="info", message=said))
        own = {number: factors.tolist() for number, factors in found.items()}
        return fitted.model_copy(update={"own_bands": own})

    @override
    def deployment(self) -> Deployment:
        """With the window, and the known inputs of future steps."""
        return Deployment(
            arguments=lambda batch: ((batch.inputs["past"], batch.inputs["future"]), {})
        )

    def predict(
        self, network: nn.Module, batch: Batch, fitted: SeriesFitted
    ) -> list[dict[str, Any]]:
        """One record a step of the horizon: its time, the value of each target, its quantiles."""
        frequency = frequency_of(fitted)
        bands = _bands_of(batch, fitted, self.section.quantiles)
        names, values = _named_values(_forward(network, batch), batch, fitted, bands)
        keys = [{}] * len(values) if batch.rows is None else batch.rows.to_pylist()
        records = []
        for key, last, steps in zip(keys, batch.inputs["time"].tolist(), values, strict=True):
            times = frequency.along(last, np.arange(1, len(steps) + 1))
            for time, step in zip(times.tolist(), steps.tolist(), strict=True):
                when = written_time(fitted, time) if fitted.time else time + 1
                record = dict(zip(names, step, strict=True))
                records.append(key | {fitted.time or "row": when} | record)
        return records

    @override
    def baselines(self, raw: RawData, fitted: SeriesFitted) -> list[Baseline]:
        """The seasonal naive forecast on the same windows, and where they are installed others."""
        table = raw.decisive
        if table is None:
            return []
        source = self.encode(table, fitted, torch.device("cpu"), lambda event: None)
        return [self._naive(raw, source, fitted), *self._statistical(raw, source, fitted)]

    def _naive(self, raw: RawData, source: Source, fitted: SeriesFitted) -> Baseline:
        """Evaluate the forecast that repeats the last season."""
        section = self.section
        season = fitted.season if fitted.season <= section.window else 1
        network = SeasonalNaive(season, section.horizon, len(fitted.targets))
        evaluator = self.evaluator(calibrated(self, network, raw, fitted))
        for batch in source.read(source.plan(self.config.train.batch_rows)):
            evaluator.update(network, batch)
        name = f"seasonal-naive, {season:,} rows" if season > 1 else "naive, last value"
        return Baseline(name, evaluator.compute())

    def _statistical(self, raw: RawData, source: Source, fitted: SeriesFitted) -> list[Baseline]:
        """Evaluate AutoETS and AutoTheta, where statsforecast is installed."""
        section = self.section
        if not section.baseline_seconds or not statistical.installed():
            return []
        without = fitted.model_copy(update={"bands": []})
        contest = Contest(
            source,
            history_of(raw, fitted),
            partial(_units, fitted=fitted),
            partial(self.evaluator, without),
        )
        arguments = max(1, fitted.season), section.horizon, section.quantiles
        models = [(n, statistical.StatisticalForecast(n, *arguments)) for n in statistical.MODELS]
        return compete(
            contest, [(n, model.quantiles) for n, model in models], section.baseline_seconds
        )

    @override
    def samples(self, network: nn.Module, source: Source, fitted: SeriesFitted) -> ShownSamples:
        """Three forecasts of the first target, drawn small beside the truth."""
        rows = torch.linspace(0, len(source) - 1, min(3, len(source))).long()
        batch = next(source.read([rows]))
        returned = _forward(network, batch).float()
        forecasts = _bands(fitted, self.section.quantiles).point(returned)[..., 0].cpu()
        truths = batch.targets[..., 0].cpu()
        whole = (len(truths), 1, len(fitted.targets))
        shift, scale = (np.broadcast_to(part, whole) for part in _units(batch, fitted))
        means, stds = shift[:, 0, 0].tolist(), scale[:, 0, 0].tolist()
        return ShownSamples([
            {
                **names,
                "after": frequency_of(fitted).text(time),
                fitted.targets[0]: _small_plot(truth.tolist(), truth),
                "forecast": _small_plot(forecast.tolist(), truth),
                "first step": f"{forecast[0] * std + mean:.4g} (was {truth[0] * std + mean:.4g})",
            }
            for names, time, truth, forecast, mean, std in zip(
                shown_names(batch), batch.inputs["time"].tolist(), truths, forecasts, means, stds,
                strict=True,
            )
        ])  # fmt: skip

    def gallery(self, network: nn.Module, source: Source, fitted: SeriesFitted) -> Gallery | None:
        """Forecasts of each series against the truth, the worst first."""
        if not isinstance(source, WindowSource | PanelWindowSource) or not len(source):
            return None
        bands, section = _bands(fitted, self.section.quantiles), self.section
        latest = LatestWindows(bands, source, partial(_forward, network))
        apart = -(-section.horizon // section.stride)
        cases = ForecastCases(fitted, _units, bool(fitted.time))
        bands_at = partial(latest.at, apart=apart)
        return cases.known(partial(_forward, network), bands_at, source, section.horizon)

    @override
    def presentation(self, network: nn.Module, fitted: SeriesFitted) -> Presentation:
        """Return the past and the forecast of each series as charts."""
        cases = ForecastCases(fitted, _units, bool(fitted.time))
        bands_of = partial(_bands_of, fitted=fitted, levels=self.section.quantiles)
        return Presentation(gallery=partial(cases.coming, partial(_forward, network), bands_of))


def _named_values(
    forecast: torch.Tensor, batch: Batch, fitted: SeriesFitted, bands: Bands
) -> tuple[list[str], NDArray[np.float64]]:
    """Names and values ``[batch, horizon, names]`` of targets and their quantiles, in units.

    The median is the forecast itself.
    """
    forecast = forecast.float().cpu()
    mean, std = _units(batch, fitted)
    names = list(fitted.targets)
    values = [bands.point(forecast).double().numpy() * std + mean]
    quantiles = bands.quantiles(forecast)
    for place, level in enumerate(bands.levels):
        if quantiles is not None and place != bands.median:
            names += [f"{target} {level:g}" for target in fitted.targets]
            values.append(quantiles[..., place].double().numpy() * std + mean)
    return names, np.concatenate(values, 2)


def _bands(fitted: SeriesFitted, levels: tuple[float, ...]) -> Bands:
    return Bands(levels, torch.tensor(fitted.bands) if fitted.bands else None)


def _bands_of(batch: Batch, fitted: SeriesFitted, levels: tuple[float, ...]) -> Bands:
    """The bands of the windows of a batch, by series where some have bands of their own."""
    if not fitted.own_bands:
        return _bands(fitted, levels)
    series = batch.inputs["order"].tolist() if "order" in batch.inputs else [0] * len(batch.targets)
    factors = [fitted.own_bands.get(number, fitted.bands) for number in series]
    return Bands(levels, torch.tensor(factors))


def _forward(network: nn.Module, batch: Batch) -> torch.Tensor:
    forecast: torch.Tensor = network(batch.inputs["past"], batch.inputs["future"])
    return forecast


def _past_windows(
    pipeline: ForecastingPipeline, table: pa.Table, fitted: SeriesFitted, device: torch.device
) -> tuple[WindowSource | PanelWindowSource, torch.Tensor]:
    """All windows in the past of a file, and the times where training ended, ``[series]``."""
    section = pipeline.section
    if fitted.own is None:
        past = pipeline.series(past_rows(table, fitted), fitted)
        return series_source(past, fitted, section, device), trained_to(fitted)
    panel, _ = pipeline.panel_ahead(table, fitted)
    context = np.zeros(len(panel), np.int64)
    source = panel_source(panel, context, fitted, fitted.own, section, device)
    return source, trained_to(fitted, panel)


def _tell(notes: Sequence[Note], report: Report) -> None:
    for note in notes:
        level: Literal["info", "warning"] = "info" if note.kind == "converted" else "warning"
        report(Log(level=level, message=sentence(note)))


def _units(batch: Batch, fitted: SeriesFitted) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of the targets, those of each window's series where there are many."""
    if "shift" in batch.inputs:
        shift, scale = (batch.inputs[name].cpu().double().numpy() for name in ("shift", "scale"))
        return shift, scale
    count = len(fitted.targets)
    return np.array(fitted.mean[:count]), np.array(fitted.std[:count])


def _dates(frequency: Frequency, last: int, steps: NDArray[np.int64]) -> list[str]:
    """Texts of the times so many steps after ``last``."""
    return [frequency.text(time) for time in frequency.along(last, steps).tolist()]


def scales_of(fitted: SeriesFitted) -> Scales:
    """Return the scales that turn standardised errors into others."""
    count = len(fitted.targets)
    return Scales(
        fitted.targets,
        fitted.mean[:count],
        fitted.std[:count],
        fitted.naive_error,
        fitted.naive_squared,
    )


_BARS = "▁▂▃▄▅▆▇█"
_PLOT_WIDTH = 32


def _small_plot(values: Sequence[float], scale: torch.Tensor) -> str:
    """A line of bars between the smallest and the largest of ``scale``."""
    low, high = float(scale.min()), float(scale.max())
    step = max(1, -(-len(values) // _PLOT_WIDTH))
    span = high - low or 1.0
    places = ((value - low) / span * (len(_BARS) - 1) for value in values[::step])
    return "".join(_BARS[round(min(max(place, 0.0), len(_BARS) - 1.0))] for place in places)
