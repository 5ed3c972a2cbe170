"""Forecasting: the next steps of a series, from a window of its past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.fitted import Fitted
from engine.data.load import load_data
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.models.build import build_model
from engine.runs.events import Report
from engine.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa
    import torch
    from torch import nn

    from engine.batches.source import Batch, Source
    from engine.data.raw import RawData
    from engine.data.series.frequency import Frequency
    from engine.data.series.read import Roles, Series
    from engine.metrics.forecasting import Scales
    from engine.reports.data_summary import DataSummary


class SeriesFitted(Fitted):
    """Series properties fitted on the training rows."""

    time: str
    targets: list[str]
    inputs: list[str]
    mean: list[float]
    """Of each channel, targets first."""
    std: list[float]
    unit: str
    step: int
    regular: bool
    season: int
    naive_error: list[float]
    """For each target, the mean change over one season: what MASE divides by."""


class Forecasting(Task[SeriesFitted]):
    """One network over windows of one series."""

    fitted_type = SeriesFitted

    @property
    def _section(self) -> ForecastingConfig:
        section = self.config.task
        assert isinstance(section, ForecastingConfig)
        return section

    def load(self) -> RawData:
        """Read the data, make it a regular series, and cut it in the order of time."""
        from engine.data.raw import TRAIN
        from engine.data.series.read import find_roles, read_series, unused_columns
        from engine.data.series.splits import cut_in_time, same_step, series_table

        section = self._section
        raw = load_data(self.config.data)
        roles = find_roles(raw.train, section.time, section.targets, section.inputs)
        train = read_series(raw.train, roles, section.fill)
        parts = {TRAIN: train}
        notes = list(train.notes)
        for name, table in raw.splits.items():
            if name != TRAIN and table.num_rows:
                parts[name] = self._read(table, roles, train.frequency)
                notes += [f"{name}: {note}" for note in parts[name].notes]
        same_step(parts)
        if unused := unused_columns(raw.train, roles):
            notes.append("not used: " + ", ".join(unused))
        splits, context, cuts = cut_in_time(
            parts, self.config.data, section.split_rows, section.window
        )
        self._check_lengths(splits)
        tables = {name: series_table(part, roles, context[name]) for name, part in splits.items()}
        return raw.with_splits(tables, *notes, *cuts)

    def _check_lengths(self, splits: Mapping[str, Series]) -> None:
        from engine.errors import DataError

        window, horizon = self._section.window, self._section.horizon
        for name, series in splits.items():
            if 0 < len(series) < window + horizon:
                raise DataError(
                    f"The {name} rows are too few: {len(series):,}, where a window of {window:,} "
                    f"and a horizon of {horizon:,} need {window + horizon:,}.",
                    "Lower task.window or task.horizon, or give the split more rows.",
                )

    def _read(self, table: pa.Table, roles: Roles, frequency: Frequency) -> Series:
        from engine.data.series.read import check_columns, read_series

        check_columns(table, roles)
        return read_series(table, roles, self._section.fill, frequency)

    def fit(self, raw: RawData) -> SeriesFitted:
        """Means, deviations and season of the training rows."""
        import numpy as np

        from engine.data.series.seasonality import find_season
        from engine.data.series.splits import series_note

        note = series_note(raw.train)
        roles, frequency = note.roles, note.frequency
        series = self._read(raw.train, roles, frequency)
        count = len(roles.targets)
        targets = series.values[:, :count]
        mean, std = series.values.mean(0), series.values.std(0)
        constant = std <= 1e-12 * np.abs(mean)
        self._check_targets(roles.targets, constant[:count])
        season = self._section.season or find_season(targets[:, 0], frequency.seasons)
        changes = np.abs(targets[season:] - targets[:-season])
        naive = changes.mean(0) if len(changes) else np.zeros(count)
        return SeriesFitted(
            time=roles.time,
            targets=list(roles.targets),
            inputs=list(roles.inputs),
            mean=mean.tolist(),
            # A constant input has no information, and must not become infinite.
            std=np.where(constant, 1.0, std).tolist(),
            unit=frequency.unit,
            step=frequency.step,
            regular=frequency.regular,
            season=season,
            naive_error=naive.tolist(),
        )

    def _check_targets(self, names: Sequence[str], constant: Sequence[bool]) -> None:
        from engine.errors import DataError
        from engine.files.sanitize import plain

        for name, same in zip(names, constant, strict=True):
            if same:
                raise DataError(
                    f"The target {plain(name, 60)!r} is the same in all training rows.",
                    "Set task.targets to a column that changes.",
                )

    def summarize(self, raw: RawData, fitted: SeriesFitted) -> DataSummary:
        """Summarise frequency, span, season and repairs."""
        from engine.data.series.splits import series_note
        from engine.reports.data_summary import DataSummary

        rows = {
            name: table.num_rows - series_note(table).context for name, table in raw.splits.items()
        }
        return DataSummary(
            source=self.config.data.label,
            rows=rows,
            columns=self._columns(raw.train, fitted),
            facts=self._facts(raw, fitted),
            notes=raw.notes,
            skips=tuple(
                {"reason": skip.reason, "count": skip.count, "example": skip.example}
                for skip in raw.skips
            ),
        )

    def _facts(self, raw: RawData, fitted: SeriesFitted) -> dict[str, str]:
        section = self._section
        frequency = frequency_of(fitted)
        facts = {
            "frequency": frequency.name + ("" if frequency.regular else " (median; irregular)"),
            "season": f"{fitted.season:,} rows" if fitted.season > 1 else "none found",
            "windows": ", ".join(
                f"{name} {self._windows(table.num_rows):,}" for name, table in raw.splits.items()
            ),
            "window → horizon": f"{section.window:,} → {section.horizon:,} rows",
        }
        if fitted.time:
            times = [self._span(table, fitted) for table in raw.splits.values() if table.num_rows]
            facts["from"], facts["to"] = times[0][0], times[-1][1]
        return facts

    def _span(self, table: pa.Table, fitted: SeriesFitted) -> tuple[str, str]:
        column = table[fitted.time].cast("int64")
        text = frequency_of(fitted).text
        return text(column[0].as_py()), text(column[-1].as_py())

    def _windows(self, rows: int) -> int:
        section = self._section
        return max(0, (rows - section.window - section.horizon) // section.stride + 1)

    def _columns(self, table: pa.Table, fitted: SeriesFitted) -> tuple[Any, ...]:
        from engine.reports.data_summary import ColumnSummary

        columns = []
        if fitted.time:
            dated = frequency_of(fitted).dated
            example = self._span(table, fitted)[0]
            kind = "date" if dated else "numeric"
            columns.append(ColumnSummary(fitted.time, kind, "time", example=example))
        for name in (*fitted.targets, *fitted.inputs):
            role = "target" if name in fitted.targets else "input"
            example = f"{table[name][0].as_py():.6g}"
            columns.append(ColumnSummary(name, "numeric", role, example=example))
        return tuple(columns)

    def encode(
        self, table: pa.Table, fitted: SeriesFitted, device: torch.device, report: Report
    ) -> Source:
        """All windows of a table."""
        del report
        return self._source(
            self._read(table, roles_of(fitted), frequency_of(fitted)), fitted, device
        )

    def inputs(self, fitted: SeriesFitted) -> tuple[str, ...]:
        """Time, targets and other inputs; rows are the past, in order."""
        return tuple(filter(None, (fitted.time, *fitted.targets, *fitted.inputs)))

    def encode_new(
        self, table: pa.Table, fitted: SeriesFitted, device: torch.device, report: Report
    ) -> Source:
        """Encode the window at the end of a table, whose future is unknown."""
        import numpy as np

        from engine.data.series.read import Series
        from engine.errors import DataError

        del report
        frequency = frequency_of(fitted)
        series = self._read(table, roles_of(fitted), frequency)
        window, horizon = self._section.window, self._section.horizon
        if len(series) < window:
            raise DataError(
                f"A forecast looks back at {window:,} rows; there are {len(series):,}.",
                "Give more of the past.",
            )
        series = series.slice(len(series) - window, len(series))
        times = frequency.along(int(series.times[-1]), np.arange(1, horizon + 1))
        unknown = np.zeros((horizon, series.values.shape[1]))
        extended = Series(
            np.concatenate([series.times, times]),
            np.concatenate([series.values, unknown]),
            frequency,
        )
        return self._source(extended, fitted, device)

    def _source(self, series: Series, fitted: SeriesFitted, device: torch.device) -> Source:
        import numpy as np
        import torch

        from engine.data.series.frequency import calendar_features
        from engine.data.series.windows import WindowSource

        section = self._section
        scaled = ((series.values - fitted.mean) / fitted.std).astype(np.float32)
        if section.calendar:
            features = calendar_features(series.times, series.frequency)
            scaled = np.concatenate([scaled, features], 1)
        return WindowSource(
            torch.from_numpy(scaled).to(device),
            torch.from_numpy(series.times).to(device),
            channels=len(fitted.mean),
            targets=len(fitted.targets),
            window=section.window,
            horizon=section.horizon,
            stride=section.stride,
        )

    def build_network(self, fitted: SeriesFitted) -> nn.Module:
        """The model's network for these columns."""
        from engine.data.series.frequency import calendar_names
        from engine.models.shapes import SeriesShape

        section = self._section
        features = 2 * len(calendar_names(frequency_of(fitted))) if section.calendar else 0
        return build_model(
            self.config.model,
            SeriesShape(
                len(fitted.mean), len(fitted.targets), section.window, section.horizon, features
            ),
        )

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Mean over windows, steps and targets, in standard deviations."""
        from engine.metrics.forecasting import forecast_loss

        inputs = batch.inputs
        forecast = network(inputs["past"], inputs["future"], batch.targets)
        return forecast_loss(forecast, batch.targets, self._section.loss).mean()

    def evaluator(self, fitted: SeriesFitted) -> Evaluator:
        """Errors of all windows."""
        from engine.metrics.forecasting import ForecastEvaluator

        text = frequency_of(fitted).text
        name = (lambda time: text(time)) if fitted.time else (lambda time: f"row {time + 1:,}")
        return ForecastEvaluator(_forward, scales_of(fitted), self._section.loss, name)

    def call_arguments(self, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the window, and the known inputs of future steps."""
        return (batch.inputs["past"], batch.inputs["future"]), {}

    def predict(
        self, network: nn.Module, batch: Batch, fitted: SeriesFitted
    ) -> list[dict[str, Any]]:
        """One record a step of the horizon: its time, and the value of each target."""
        import numpy as np

        frequency = frequency_of(fitted)
        count = len(fitted.targets)
        forecasts = _forward(network, batch).float().cpu().double().numpy()
        values = forecasts * fitted.std[:count] + fitted.mean[:count]
        records = []
        for last, steps in zip(batch.inputs["time"].tolist(), values, strict=True):
            times = frequency.along(last, np.arange(1, len(steps) + 1))
            for time, step in zip(times.tolist(), steps.tolist(), strict=True):
                when = frequency.text(time) if fitted.time else time + 1
                record = dict(zip(fitted.targets, step, strict=True))
                records.append({fitted.time or "row": when} | record)
        return records

    def baseline(self, raw: RawData, fitted: SeriesFitted) -> tuple[str, Evaluation] | None:
        """Evaluate the seasonal naive forecast (the last season repeated) on the same windows."""
        import torch

        from engine.baselines.seasonal_naive import SeasonalNaive
        from engine.data.raw import TEST, VALIDATION

        tables = [raw.splits[name] for name in (TEST, VALIDATION) if name in raw.splits]
        table = next((table for table in tables if table.num_rows), None)
        if table is None:
            return None
        section = self._section
        season = fitted.season if fitted.season <= section.window else 1
        network = SeasonalNaive(season, section.horizon, len(fitted.targets))
        source = self.encode(table, fitted, torch.device("cpu"), lambda event: None)
        evaluator = self.evaluator(fitted)
        for batch in source.read(source.plan(self.config.train.batch_size)):
            evaluator.update(network, batch)
        name = f"seasonal-naive, {season:,} rows" if season > 1 else "naive, last value"
        return name, evaluator.compute()

    def samples(
        self, network: nn.Module, source: Source, fitted: SeriesFitted
    ) -> list[dict[str, str]]:
        """Three forecasts of the first target, drawn small beside the truth."""
        import torch

        rows = torch.linspace(0, len(source) - 1, min(3, len(source))).long()
        batch = next(source.read([rows]))
        forecasts = _forward(network, batch).float()[..., 0].cpu()
        truths = batch.targets[..., 0].cpu()
        mean, std = fitted.mean[0], fitted.std[0]
        return [
            {
                "after": frequency_of(fitted).text(time),
                fitted.targets[0]: _small_plot(truth.tolist(), truth),
                "forecast": _small_plot(forecast.tolist(), truth),
                "first step": f"{forecast[0] * std + mean:.4g} (was {truth[0] * std + mean:.4g})",
            }
            for time, truth, forecast in zip(
                batch.inputs["time"].tolist(), truths, forecasts, strict=True
            )
        ]


def _forward(network: nn.Module, batch: Batch) -> torch.Tensor:
    forecast: torch.Tensor = network(batch.inputs["past"], batch.inputs["future"])
    return forecast


def roles_of(fitted: SeriesFitted) -> Roles:
    """The columns that the network was trained with."""
    from engine.data.series.read import Roles

    return Roles(fitted.time, tuple(fitted.targets), tuple(fitted.inputs))


def frequency_of(fitted: SeriesFitted) -> Frequency:
    """The step of the training rows."""
    from engine.data.series.frequency import Frequency

    return Frequency.of(fitted.unit, fitted.step, fitted.regular)


def scales_of(fitted: SeriesFitted) -> Scales:
    """Return the scales that turn standardised errors into others."""
    from engine.metrics.forecasting import Scales

    count = len(fitted.targets)
    return Scales(fitted.targets, fitted.mean[:count], fitted.std[:count], fitted.naive_error)


_BARS = "▁▂▃▄▅▆▇█"
_PLOT_WIDTH = 32


def _small_plot(values: Sequence[float], scale: torch.Tensor) -> str:
    """A line of bars between the smallest and the largest of ``scale``."""
    low, high = float(scale.min()), float(scale.max())
    step = max(1, -(-len(values) // _PLOT_WIDTH))
    span = high - low or 1.0
    places = ((value - low) / span * (len(_BARS) - 1) for value in values[::step])
    return "".join(_BARS[round(min(max(place, 0.0), len(_BARS) - 1.0))] for place in places)
