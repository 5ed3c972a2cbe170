"""Columns that are known ahead, read for the horizon behind the past of each series."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from engine.data.series.channels import Values, read_channels
from engine.data.series.frequency import Frequency, Times
from engine.data.series.indicators import indicators
from engine.data.series.panel import Rows
from engine.data.series.read import read_time_column
from engine.data.series.roles import Roles
from engine.data.tables.schema import NumberFormat
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note


def read_ahead(
    table: pa.Table,
    roles: Roles,
    series: Rows,
    ends: Times,
    horizon: int,
    frequency: Frequency,
    spelling: str,
    formats: Mapping[str, NumberFormat],
) -> tuple[Values, list[Note]]:
    """``[series, horizon, columns]`` of what is known ahead, NaN where there is no value.

    ``series`` is the number of each row's series, -1 for none, and ``ends`` the last times of their
    pasts. Nothing is filled in. Of several rows for one step the last value is taken, and noted.
    """
    values = _known_values(table, roles, formats)
    found = np.full((len(ends), horizon, values.shape[1]), np.nan)
    if not values.shape[1]:
        return found, []
    times = read_time_column(table, roles, frequency, spelling).times
    rows = np.flatnonzero((series >= 0) & (times > ends[series]))
    rows = rows[np.lexsort((times[rows], series[rows]))]
    steps = _steps(times[rows], series[rows], ends, frequency)
    inside = (steps >= 1) & (steps <= horizon)
    rows, steps = rows[inside], steps[inside] - 1
    own = series[rows]
    for column, part in zip(values[rows].T, np.moveaxis(found, 2, 0), strict=True):
        some = ~np.isnan(column)
        part[own[some], steps[some]] = column[some]
    places = own * horizon + steps
    twice = len(places) - len(np.unique(places))
    if not twice:
        return found, []
    why = f"{counted(twice, 'row')} of the horizon with a time that occurs before: the last is used"
    return found, [Note(why, plain(roles.time, 60), rows=twice)]


def _known_values(table: pa.Table, roles: Roles, formats: Mapping[str, NumberFormat]) -> Values:
    parts = [indicators(table, roles.categories)]
    if roles.known:
        parts.insert(0, read_channels(table, roles.known, formats))
    return np.concatenate(parts, 1)


def _steps(times: Times, series: Rows, ends: Times, frequency: Frequency) -> Rows:
    """Steps from the end of each row's series; of irregular times, each row is one."""
    if frequency.regular:
        return frequency.positions(times, ends[series])
    first = np.searchsorted(series, series)
    return np.arange(len(series)) - first + 1


def missing_step(
    known: Values, roles: Roles, end: int, frequency: Frequency
) -> tuple[str, str, int] | None:
    """Return the first column without a value in ``[horizon, columns]``, its time and its step.

    ``None`` where all are known; a column is empty where the whole row is missing.
    """
    missing = np.isnan(known)
    if not missing.any():
        return None
    step = int(missing.any(1).argmax())
    counted_names = [len(values) for values in roles.categories.values()]
    names = (*roles.known, *np.repeat([*roles.categories], counted_names).tolist())
    name = "" if missing[step].all() else names[int(missing[step].argmax())]
    time = frequency.along(end, np.array([step + 1]))
    return name, frequency.text(int(time[0])) if roles.time else "", step + 1
