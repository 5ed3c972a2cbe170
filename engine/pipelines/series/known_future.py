"""Rows of the future, whose targets are to be forecast, behind the past that they belong to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from engine.data.series.ahead import missing_step, read_ahead
from engine.data.series.channels import Values, read_channels
from engine.data.series.frequency import Times
from engine.data.series.panel import (
    Panel,
    Rows,
    find_keys,
    key_name,
    key_texts,
    number_series,
)
from engine.data.series.read import Series
from engine.data.series.roles import Roles
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.series.fitted import SeriesFitted, frequency_of, roles_of
from engine.pipelines.series.future_types import (
    of_future_file,
    time_column_of,
    times_of,
    with_plain_types,
    with_same_types,
)
from engine.reports.counted import counted
from engine.reports.note import Note

_NEVER = np.iinfo(np.int64).min
"""The time of the last target of a series without one."""
_REMEDY = (
    "Give the rows of the horizon in a future file (--future), or at the end of the file without "
    "a target."
)


def join_future(
    past: pa.Table, future: pa.Table, fitted: SeriesFitted
) -> tuple[pa.Table, list[Note]]:
    """Put the rows of a future file behind those of the past, without targets.

    Rows of other series and those before the last target of their series are counted and left out.
    Raises :class:`DataError`.
    """
    roles, notes = roles_of(fitted), []
    past = with_plain_types(past)
    future = with_plain_types(future.select(list(roles.ahead)))
    if not future.num_rows:
        raise DataError("The future file has no rows.")
    if roles.series:
        firsts = number_series(past, roles.series)[1]
        keys = past.select(list(roles.series)).take(firsts)
        places, other = _places_of_future(keys, future, roles)
        notes += other
        future, places = future.filter(pa.array(places >= 0)), places[places >= 0]
        for name in roles.series:  # as the past writes them
            place = future.column_names.index(name)
            future = future.set_column(place, name, keys[name].take(places))
    else:
        places = np.zeros(future.num_rows, np.int64)
    if roles.time:
        with of_future_file():
            column = time_column_of(future, fitted)
        if not roles.parts:
            notes += [replace(n, why=f"in the future file, {n.why}") for n in column.notes]
        late = column.times > _last_targets(past, fitted)[0][places]
        if not late.all():
            notes.append(_before(int((~late).sum()), bool(late.any())))
        future = future.filter(pa.array(late))
    past, future = with_same_types(past, future, fitted)
    try:
        return pa.concat_tables([past, future], promote_options="permissive"), notes
    except pa.ArrowException as error:
        raise DataError(
            f"The future file has columns of other types than the past ({plain(str(error), 200)}).",
            "Write both in the same format.",
        ) from error


def _places_of_future(known: pa.Table, future: pa.Table, roles: Roles) -> tuple[Rows, list[Note]]:
    """The number among the ``known`` series that each row belongs to, -1 for none, and notes."""
    codes, first_ahead = number_series(future, roles.series)
    keys = future.select(list(roles.series)).take(first_ahead)
    places = find_keys(key_texts(known, roles.series), key_texts(keys, roles.series))
    other = places < 0
    if not other.any():
        return places[codes], []
    such = key_name(keys, int(other.argmax()), roles.series)
    text = (
        f"{counted(int(other.sum()), 'series', 'series')} of the future file, such as {such}, "
        "not in the past file"
    )
    if other.all():
        raise DataError(f"{text}.", "Give past and future of the same series.")
    rows = int(other[codes].sum())
    return places[codes], [Note(f"{text}: left out", rows=rows, kind="lost")]


def past_rows(table: pa.Table, fitted: SeriesFitted) -> pa.Table:
    """The rows of a file up to the last target of each series; those behind are its future.

    All rows where nothing is known ahead, and those of a series without any target.
    """
    roles = roles_of(fitted)
    if not roles.ahead:
        return table
    last, own = _last_targets(table, fitted)
    past = (times_of(table, fitted) <= last[own]) | (last == _NEVER)[own]
    return table if past.all() else table.filter(pa.array(past))


def _last_targets(past: pa.Table, fitted: SeriesFitted) -> tuple[Times, Rows]:
    """The last time of each series with a target, and the number of each row's series.

    It is before all times where there is no target.
    """
    roles = roles_of(fitted)
    targets = read_channels(past, roles.targets, fitted.number_formats)
    known = ~np.isnan(targets).all(1)
    codes, firsts = number_series(past, roles.series) if roles.series else (None, [0])
    last = np.full(len(firsts), _NEVER)
    own = np.zeros(past.num_rows, np.int64) if codes is None else codes
    np.maximum.at(last, own[known], times_of(past, fitted)[known])
    return last, own


def _before(rows: int, some: bool) -> Note:
    if not some:
        raise DataError(
            f"All {counted(rows, 'row')} of the future file lie before the end of the past.",
            "Give the rows after the past.",
        )
    why = f"{counted(rows, 'row')} of the future file before the end of the past: left out"
    return Note(why, rows=rows, kind="dropped")


def ahead_of_series(
    table: pa.Table, series: Series, fitted: SeriesFitted, horizon: int
) -> tuple[Values, list[Note]]:
    """``[horizon, columns]`` of what is known ahead; raises :class:`DataError` for what is not."""
    roles, frequency = roles_of(fitted), frequency_of(fitted)
    own = np.zeros(table.num_rows, np.int64)
    formats, end = fitted.number_formats, series.times[-1:]
    known, notes = read_ahead(table, roles, own, end, horizon, frequency, fitted.spelling, formats)
    if lacking := missing_step(known[0], roles, int(end[0]), frequency):
        raise DataError(f"{_missing_value(*lacking, roles, horizon)}.", _REMEDY)
    return known[0], notes


def ahead_of_panel(
    table: pa.Table, panel: Panel, fitted: SeriesFitted, horizon: int
) -> tuple[Panel, Values]:
    """Those series whose horizon is known, and ``[series, horizon, columns]`` of what is known.

    The others are counted in a note. Raises :class:`DataError` where there are only others.
    """
    roles, frequency = roles_of(fitted), frequency_of(fitted)
    codes, firsts = number_series(table, roles.series)
    rows = table.select(list(roles.series)).take(firsts)
    keys = (key_texts(part, roles.series) for part in (panel.keys, rows))
    own, ends = find_keys(*keys)[codes], panel.times[panel.starts[1:] - 1]
    formats = fitted.number_formats
    known, notes = read_ahead(table, roles, own, ends, horizon, frequency, fitted.spelling, formats)
    panel = replace(panel, notes=(*panel.notes, *notes))
    lacking = np.asarray(np.isnan(known).any((1, 2)), np.bool_)
    if not lacking.any():
        return panel, known
    first = int(lacking.argmax())
    found = missing_step(known[first], roles, int(ends[first]), frequency)
    assert found is not None
    reason = f"{_missing_value(*found, roles, horizon)} in {panel.name(first, roles.series)}"
    if lacking.all():
        others = f", as in all {len(panel):,} series" * (len(panel) > 1)
        raise DataError(f"{reason}{others}.", _REMEDY)
    count = int(lacking.sum())
    note = Note(f"{counted(count, 'series', 'series')} left out: {reason}", rows=count, kind="lost")
    return replace(panel.chosen(~lacking), notes=(*panel.notes, note)), known[~lacking]


def _missing_value(name: str, time: str, step: int, roles: Roles, horizon: int) -> str:
    """The clause on a value of the horizon, or a whole row of it, that is missing."""
    when = f"{time}, step {step:,} of a horizon of {horizon:,}" if time else (
        f"step {step:,} of a horizon of {horizon:,}"
    )  # fmt: skip
    if name:
        return f"The column {plain(name, 60)!r}, known ahead in training, has no value for {when}"
    names = ", ".join(plain(name, 40) for name in (*roles.known, *roles.categories))
    return f"There is no row with {names} for {when}"
