"""Many series as data of forecasting: what is fitted on them, and facts about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np
import pyarrow as pa

from engine.data.series.panel import Panel, key_texts
from engine.data.series.panel_splits import split_panel
from engine.data.series.scales import fit_scales
from engine.data.series.seasonality import find_season
from engine.data.series.splits import series_note
from engine.data.series.static import fit_static
from engine.data.series.window_plan import plan_windows
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.series_fitted import SeriesFitted, find_flags

_ASKED = 50
"""The longest series, whose most frequent season is that of all."""


def fit_panel(table: pa.Table, season: int, categorical: Collection[str]) -> SeriesFitted:
    """Scales of each series and of all training rows; a ``season`` of 0 is found.

    Static columns are of categories where they are ``categorical``.
    """
    note, (panel, _) = series_note(table), split_panel(table)
    roles, frequency = note.roles, note.frequency
    count = len(roles.targets)
    mean, std = panel.values.mean(0), panel.values.std(0)
    constant = std <= 1e-12 * np.abs(mean)
    for name, same in zip(roles.targets, constant[:count], strict=True):
        if same:
            raise DataError(
                f"The target {plain(name, 60)!r} is the same in all training rows.",
                "Set task.targets to a column that changes.",
            )
    season = season or _season(panel, frequency.seasons)
    flags = find_flags(panel.values, roles.past)
    mean[flags], std[constant] = 0.0, 1.0
    std[flags] = 1.0
    own = fit_scales(panel, key_texts(panel.keys, roles.series), count, season)
    return SeriesFitted(
        time=roles.time,
        targets=list(roles.targets),
        inputs=list(roles.inputs),
        mean=mean.tolist(),
        std=std.tolist(),
        unit=frequency.unit,
        step=frequency.step,
        regular=frequency.regular,
        season=season,
        naive_error=np.mean(own.naive_error, 1).tolist(),
        naive_squared=np.mean(own.naive_squared, 1).tolist(),
        time_parts=roles.parts,
        spelling=note.spelling,
        writing=note.writing,
        number_formats=dict(note.formats),
        anchor=frequency.anchor,
        zone=frequency.zone,
        series=roles.series,
        known=list(roles.known),
        categories=dict(roles.categories),
        flags=flags,
        static=fit_static(panel.keys, roles.static, categorical),
        own=own,
    )


def _season(panel: Panel, possible: tuple[int, ...]) -> int:
    longest = np.argsort(-panel.lengths, kind="stable")[:_ASKED].tolist()
    starts = panel.starts
    found = (find_season(panel.values[starts[i] : starts[i + 1], 0], possible) for i in longest)
    return Counter(found).most_common(1)[0][0]


def series_facts(table: pa.Table) -> dict[str, str]:
    """How many series a split has, and their lengths; nothing for one series."""
    if not series_note(table).roles.series:
        return {}
    lengths = split_panel(table)[0].lengths
    least, most = int(lengths.min()), int(lengths.max())
    span = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return {"series": f"{len(lengths):,} of {span} training rows"}


def count_windows(table: pa.Table, window: int, horizon: int, stride: int) -> int:
    """Number of windows of all series in a split."""
    panel, context = split_panel(table)
    return int(plan_windows(panel.starts, context, window, horizon, stride).counts.sum())
