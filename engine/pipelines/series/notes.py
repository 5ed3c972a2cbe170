"""Notes on how the columns of a table were read as series."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.raw import VALIDATION, RawData
from engine.data.series.frequency import Times
from engine.data.series.indicators import category_notes
from engine.data.series.panel import Mask, Panel
from engine.data.series.read import Series
from engine.data.series.roles import Roles, unused_columns
from engine.data.series.several import named_for_series, suspect_series
from engine.data.series.unread_times import unread_time_column
from engine.files.sanitize import plain
from engine.reports.note import Note

_SAME = 0.02
"""Difference between steps that are the same, but were rounded."""


def role_notes(table: pa.Table, roles: Roles, section: ForecastingConfig) -> list[Note]:
    """Return notes on roles that were not set, and on columns without one."""
    notes: list[Note] = []
    if roles.series and not section.series:
        names = " and ".join(plain(name, 60) for name in roles.series)
        tell = "tells" if len(roles.series) == 1 else "tell"
        why = f"{names} {tell} several series apart: one network learns all of them"
        notes.append(Note(why, names, "series", change="task.series", kind="converted"))
    if roles.static and not section.static:
        names = ", ".join(plain(name, 60) for name in roles.static)
        why = f"{names}: the same in all rows of each series, so a static covariate"
        notes.append(Note(why, names, "static", change="task.static", kind="converted"))
    notes += category_notes(table, roles.categories)
    if unused := unused_columns(table, roles):
        why = "not used: " + ", ".join(unused)
        notes.append(Note(why, change="task.inputs", kind="dropped"))
    if not section.targets and len(roles.targets + roles.inputs) > 1:
        target = plain(roles.targets[0], 60)
        why = f"{target} is forecast, as no target is named"
        notes.append(Note(why, target, "target", change="task.targets", kind="converted"))
    return notes


def time_notes(table: pa.Table, roles: Roles, train: Series) -> Iterator[Note]:
    """Yield notes on columns that may be the time, where none was taken for it."""
    if roles.time:
        return
    unread = unread_time_column(table)
    if unread:
        example = plain(str(table[unread].drop_null()[0].as_py()), 40)
        yield Note(
            f"{plain(unread, 60)} holds no dates that can be read, such as {example!r}; "
            "rows are taken in their order",
            column=plain(unread, 60),
            read_as="text",
            change="task.time",
        )
    if name := named_for_series(table, roles):
        shown = plain(name, 60)
        why = f"{shown} may tell several series apart, but no column has the time: all rows are one"
        yield Note(why, shown, "not used", change="task.time")
    counting = _counting(train, roles)
    if counting and counting != plain(unread, 40):
        why = f"{counting} grows by the same step from row to row: is it the time?"
        yield Note(why, counting, "input", change=f"task.time={counting}")


def repeat_notes(table: pa.Table, roles: Roles, times: Times) -> Iterator[Note]:
    """Yield a note where some times repeat, and a column may tell several series apart."""
    if roles.time and (name := suspect_series(table, roles, times)):
        shown = plain(name, 60)
        why = (
            f"{shown} differs between rows of one time, whose mean is taken: does it tell series "
            "apart?"
        )
        yield Note(why, shown, "not used", change=f'task.series=["{shown}"]')


def _counting(series: Series, roles: Roles) -> str:
    """Return the first input whose steps are all the same; empty where none is."""
    inputs = series.values[:, len(roles.targets) :].T
    for name, values in zip(roles.inputs, inputs, strict=False):
        steps = np.diff(values)
        if len(steps) > 1 and steps[0] and np.isclose(steps, steps[0], rtol=_SAME).all():
            return plain(name, 40)
    return ""


def season_notes(season: int, section: ForecastingConfig) -> Iterator[Note]:
    """Yield a note where the season does not fit the window, so that the baseline cannot use it."""
    if season > section.window:
        why = (
            f"the season of {season:,} rows is longer than the window of {section.window:,}: the "
            "baseline repeats the last value, and the network never sees a whole season"
        )
        yield Note(why, "", "season", change="task.window")


def targets_without_truth(split: str, part: Series | Panel, own: Mask, roles: Roles) -> list[Note]:
    """Return notes on the targets of a split without a value in its ``own`` rows, ``[rows]``."""
    if part.filled is None:
        return []
    values = part.filled[own].T
    names = [
        plain(name, 60) for name, lost in zip(roles.targets, values, strict=False) if lost.all()
    ]
    why = f"no row of {split} has a value, so its errors do not count there"
    return [Note(f"{name}: {why}", name, split, int(own.sum())) for name in names]


def without_truth(split: str, rows: int) -> Note:
    """Return a note on a split whose targets are all empty."""
    return Note(f"{split}: no row has a target, so it is not used", split, rows=rows, kind="lost")


def band_notes(raw: RawData, section: ForecastingConfig) -> Iterator[Note]:
    """Yield a note on bands that no validation rows correct."""
    table = raw.splits.get(VALIDATION)
    if len(section.quantiles) < 2 or (table is not None and table.num_rows):
        return
    bands = "forecasts have no bands, which are fitted on validation rows"
    if section.loss == "quantile":
        bands = "bands are those of the network, which validation rows would correct"
    yield Note(f"{bands}: there are none", change="data.validation_fraction")
