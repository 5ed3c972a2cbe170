"""Windows of many series for a network: each series in its own scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from engine.batches.source import Batch
from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.series.channels import Values
from engine.data.series.filled_past import FilledPast
from engine.data.series.panel import Panel, Rows, find_keys, key_texts, name_of, shown_text
from engine.data.series.panel_windows import PanelWindowSource, SeriesFacts
from engine.data.series.scales import PanelScales, SeriesScales, scales_for
from engine.data.series.static import static_values, unknown_static
from engine.data.series.time_features import with_time_features
from engine.data.series.window_plan import plan_windows
from engine.files.sanitize import plain
from engine.metrics.forecasts.many_series import OwnScales
from engine.pipelines.series.fitted import SeriesFitted, roles_of
from engine.reports.counted import counted


def panel_source(
    panel: Panel,
    context: Rows,
    fitted: SeriesFitted,
    own: SeriesScales,
    section: ForecastingConfig,
    device: torch.device,
) -> PanelWindowSource:
    """All windows whose horizon lies behind the ``context`` of each series.

    A series that was not in training has the scale of its first window, of the rows before a
    horizon where it is shorter, and the number behind those of training.
    """
    count = len(fitted.targets)
    scales = _scales(panel, fitted, own, section)
    mean, std = (np.repeat(part, panel.lengths, axis=0) for part in (scales.mean, scales.std))
    values = ((panel.values - mean) / std).astype(np.float32)
    values = with_time_features(
        values, panel.times, panel.frequency, section.calendar, section.holidays
    )
    known = None
    if panel.filled is not None and panel.filled[:, :count].any():
        known = torch.from_numpy(~panel.filled[:, :count]).to(device)
    places = np.where(scales.places < 0, len(own.keys[0]), scales.places)
    facts = SeriesFacts(
        torch.from_numpy(places).to(device),
        _on(scales.mean[:, :count], device),
        _on(scales.std[:, :count], device),
        panel.keys.select(list(fitted.series)),
        torch.from_numpy(static_values(panel.keys, fitted.static)).to(device),
    )
    channels = roles_of(fitted).past
    marks = None if panel.filled is None else panel.filled[:, :channels]
    return PanelWindowSource(
        torch.from_numpy(values).to(device),
        torch.tensor(panel.times, device=device),
        known,
        plan_windows(panel.starts, context, section.window, section.horizon, section.stride),
        facts,
        FilledPast.of(marks, panel.starts, device),
        channels=channels,
    )


def _scales(
    panel: Panel, fitted: SeriesFitted, own: SeriesScales, section: ForecastingConfig
) -> PanelScales:
    seen = np.clip(panel.lengths - section.horizon, 1, section.window)
    scales = scales_for(panel, key_texts(panel.keys, fitted.series), own, seen)
    scales.mean[:, fitted.flags], scales.std[:, fitted.flags] = 0.0, 1.0
    return scales


def _on(values: NDArray[np.float64], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)


def with_future(panel: Panel, known: Values, window: int) -> tuple[Panel, Rows]:
    """The last ``window`` rows of each series with its future, and the lengths of the past.

    ``known`` ``[series, horizon, columns]`` are the last channels of the future.
    """
    horizon = known.shape[1]
    panel = panel.ranges(np.maximum(panel.starts[:-1], panel.starts[1:] - window), panel.starts[1:])
    past = panel.lengths
    starts = panel.starts + horizon * np.arange(len(panel) + 1)
    rows = np.arange(panel.starts[-1]) + horizon * panel.codes
    last = np.repeat(panel.times[panel.starts[1:] - 1], horizon)
    steps = np.tile(np.arange(1, horizon + 1), len(panel))
    ahead = np.ones(int(starts[-1]), np.bool_)
    ahead[rows] = False
    times = np.empty(len(ahead), np.int64)
    times[rows], times[ahead] = panel.times, panel.frequency.along(last, steps)
    values = np.zeros((len(ahead), panel.values.shape[1]))
    values[rows] = panel.values
    values[ahead, values.shape[1] - known.shape[2] :] = np.concatenate([*known])
    filled = None
    if panel.filled is not None:
        filled = np.zeros(values.shape, np.bool_)
        filled[rows] = panel.filled
    extended = Panel(panel.keys, starts, times, values, panel.frequency, filled, notes=panel.notes)
    return extended, past


def trained_to(fitted: SeriesFitted, panel: Panel | None = None) -> torch.Tensor:
    """Return the time of the last training row of each series of ``panel``, or of the one series.

    It is before all times for series that were not in training; for those of older models, which do
    not know it, behind all.
    """
    ends = np.iinfo(np.int64)
    if panel is None or fitted.own is None:
        return torch.tensor(fitted.trained_to or (ends.min,))
    places = find_keys(fitted.own.keys, key_texts(panel.keys, fitted.series))
    known = fitted.trained_to or (ends.max,) * len(fitted.own.keys[0])
    return torch.tensor([*known, ends.min])[torch.tensor(places)]


def own_scales(columns: Sequence[str], own: SeriesScales) -> OwnScales:
    """Return the scales that errors of each series are measured in."""
    names = [name_of(values, columns) for values in zip(*own.keys, strict=True)]
    count = len(own.naive_error)
    parts = own.std[:count], own.naive_error, own.naive_squared
    return OwnScales(names, *(np.array(part).T for part in parts))


def shown_names(batch: Batch) -> list[dict[str, str]]:
    """Return what tells the series of each window apart, for people; nothing for one series."""
    if batch.rows is None:
        return [{}] * len(batch.targets)
    names = batch.rows.column_names
    texts = zip(*key_texts(batch.rows, names), strict=True)
    return [dict(zip(names, map(shown_text, values), strict=True)) for values in texts]


def doubts_of_new(
    panel: Panel, fitted: SeriesFitted, own: SeriesScales, window: int
) -> Iterator[str]:
    """Yield sentences on series of a file that are short, new, or without a static value."""
    new = find_keys(own.keys, key_texts(panel.keys, fitted.series)) < 0
    short = panel.lengths < window
    texts = (
        (new, "not in training: scaled by the rows that are given."),
        (short, f"with less than {window:,} rows: the first value is repeated before them."),
        *(
            (unknown, f"without {plain(column.name, 40)}: its features are 0.")
            for column, unknown in unknown_static(panel.keys, fitted.static)
        ),
    )
    for marks, why in texts:
        if marks.any():
            such = panel.name(int(marks.argmax()), fitted.series)
            yield f"{counted(int(marks.sum()), 'series', 'series')}, such as {such}, {why}"
