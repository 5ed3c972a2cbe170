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
from engine.pipelines.series.channels import described, fit_channels
from engine.pipelines.series.fitted import SeriesFitted

_ASKED = 50
"""The longest series, whose most frequent season is that of all."""


def fit_panel(table: pa.Table, season: int, categorical: Collection[str]) -> SeriesFitted:
    """Scales of each series and of all training rows; a ``season`` of 0 is found.

    Static columns are of categories where they are ``categorical``.
    """
    note, (panel, _) = series_note(table), split_panel(table)
    roles = note.roles
    channels = fit_channels(panel.values, roles)
    season = season or _season(panel, note.frequency.seasons)
    own = fit_scales(panel, key_texts(panel.keys, roles.series), len(roles.targets), season)
    return SeriesFitted(
        **described(note),
        **channels,
        season=season,
        trained_to=tuple(panel.times[panel.starts[1:] - 1].tolist()),
        naive_error=np.mean(own.naive_error, 1).tolist(),
        naive_squared=np.mean(own.naive_squared, 1).tolist(),
        series=roles.series,
        static=fit_static(panel.keys, roles.static, categorical),
        own=own,
    )


def _season(panel: Panel, possible: tuple[int, ...]) -> int:
    longest = np.argsort(-panel.lengths, kind="stable")[:_ASKED].tolist()
    starts = panel.starts
    found = (find_season(panel.values[starts[i] : starts[i + 1], 0], possible) for i in longest)
    return Counter(found).most_common(1)[0][0]


def series_facts(table: pa.Table) -> dict[str, str]:
    """The number of series in a split, and their lengths; nothing for one series."""
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
