"""One row a step in each of several series, and no holes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.data.series.channels import Values
from engine.data.series.frequency import Frequency, Times, find_frequency
from engine.data.series.panel import Mask, Panel, Rows
from engine.data.series.read import Fill, means_of
from engine.data.series.roles import Roles
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_ASKED = 50
"""The longest series, whose most frequent step is that of all."""
_LONGEST_GRID = 4
"""A series with more steps than this for each row has another step, or a wrong date in it."""


def common_frequency(times: Times, starts: Rows, dated: bool) -> Frequency:
    """Return the step that most of the longest series have."""
    longest = np.argsort(-np.diff(starts), kind="stable")[:_ASKED]
    found = [find_frequency(times[starts[i] : starts[i + 1]], dated) for i in longest.tolist()]
    return Counter(found).most_common(1)[0][0]


def on_grid(panel: Panel, roles: Roles, fill: Fill) -> Panel:
    """One row a step in each series; steps without one get NaN, series of other steps are left out.

    Raises :class:`DataError` where most have another step, or gaps are refused.
    """
    frequency = panel.frequency
    if not frequency.regular:
        name = plain(roles.time, 60)
        why = (
            f"{name} keeps to no regular step (the median is {frequency.name}); each row counts as "
            "one step"
        )
        return replace(panel, notes=(*panel.notes, Note(why, name, "irregular times")))
    positions = _positions(panel)
    panel, positions = _of_one_step(panel, positions, roles)
    lengths = positions[panel.starts[1:] - 1] + 1
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = positions + np.repeat(starts[:-1], panel.lengths)
    if len(places) == starts[-1] and (np.diff(places) == 1).all():
        return panel
    first = np.flatnonzero(np.diff(places, prepend=-1) > 0)
    notes = [*panel.notes, *_gap_notes(panel, positions, roles, fill)]
    if len(first) < len(places):
        why = (
            f"{counted(len(places) - len(first), 'row')} between two steps: merged with the nearest"
        )
        notes.append(Note(why, plain(roles.time, 60), rows=len(places) - len(first)))
    values = np.full((int(starts[-1]), panel.values.shape[1]), np.nan)
    values[places[first]] = means_of(panel.values, first)
    steps = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
    begins = np.repeat(panel.times[panel.starts[:-1]], lengths)
    return replace(
        panel,
        starts=starts,
        times=frequency.along(begins, steps),
        values=values,
        part=None if panel.part is None else _parts(panel.part, places, int(starts[-1])),
        notes=tuple(notes),
    )


def _positions(panel: Panel) -> Rows:
    """The steps from each series' first time."""
    origins = np.repeat(panel.times[panel.starts[:-1]], panel.lengths)
    return panel.frequency.positions(panel.times, origins)


def _of_one_step(panel: Panel, positions: Rows, roles: Roles) -> tuple[Panel, Rows]:
    """The series that keep to the common step, and the positions of their rows."""
    lengths, spans = panel.lengths, positions[panel.starts[1:] - 1] + 1
    jumps = np.diff(positions, prepend=0)
    jumps[panel.starts[:-1]] = np.iinfo(np.int64).max
    least = np.minimum.reduceat(jumps, panel.starts[:-1])
    merged = np.add.reduceat((jumps == 0).astype(np.int64), panel.starts[:-1])
    other = (lengths > 2) & (least > 1) | (spans > _LONGEST_GRID * lengths) | (2 * merged > lengths)
    if not other.any():
        return panel, positions
    index = int(other.argmax())
    found = f"{panel.name(index, roles.series)}: {_unlike_most(panel, index, roles)}"
    if 2 * other.sum() > len(panel):
        raise DataError(
            f"{counted(int(other.sum()), 'series', 'series')} of {len(panel):,} have other steps "
            f"or a date far off, such as {found}.",
            "Keep series of one step in a table.",
        )
    note = Note(
        f"{counted(int(other.sum()), 'series', 'series')} left out, with other steps or a date far "
        f"off, such as {found}",
        plain(roles.time, 60),
        rows=int(lengths[other].sum()),
        kind="lost",
    )
    kept = positions[np.repeat(~other, lengths)]
    panel = panel.chosen(~other)
    return replace(panel, notes=(*panel.notes, note)), kept


def _unlike_most(panel: Panel, series: int, roles: Roles) -> str:
    """Return the step of a series; where it is that of most, the longest jump."""
    times = panel.times[panel.starts[series] : panel.starts[series + 1]]
    frequency, name = panel.frequency, plain(roles.time, 60)
    own = find_frequency(times, frequency.dated)
    if own.name != frequency.name:
        return f"{own.name} in {name}, where most have {frequency.name}"
    row = int(np.diff(times).argmax())
    before, after = (frequency.text(int(time)) for time in times[row : row + 2])
    return f"{name} jumps from {before} to {after}"


def _gap_notes(panel: Panel, positions: Rows, roles: Roles, fill: Fill) -> list[Note]:
    """A note on the steps without a row; raises ``DataError`` if they are refused."""
    jumps = np.diff(positions, prepend=0)
    jumps[panel.starts[:-1]] = 1
    gaps = jumps > 1
    if not gaps.any():
        return []
    row, steps = int(jumps.argmax()), int((jumps[gaps] - 1).sum())
    series = int(np.searchsorted(panel.starts, row, side="right")) - 1
    longest = (
        f"{counted(int(jumps[row]) - 1, 'step')} of {panel.frequency.name} after "
        f"{panel.frequency.text(int(panel.times[row - 1]))} in {panel.name(series, roles.series)}"
    )
    if fill == "refuse":
        raise DataError(
            f"The column {plain(roles.time, 60)!r} lacks {longest}.",
            "Choose how to fill gaps with task.fill.",
        )
    concerned = len(np.unique(np.searchsorted(panel.starts, np.flatnonzero(gaps), side="right")))
    why = (
        f"{counted(int(gaps.sum()), 'gap')} in {counted(concerned, 'series', 'series')} with "
        f"{counted(steps, 'step')} in all, filled ({fill}); the longest has {longest}"
    )
    name = plain(roles.time, 60)
    return [Note(why, name, f"filled ({fill})", steps, change="task.fill")]


def _parts(part: NDArray[np.int8], places: Rows, rows: int) -> NDArray[np.int8]:
    """The split of each row; a row that was filled in belongs to that of the row before."""
    before = np.zeros(rows, np.int64)
    before[places] = np.arange(len(places))
    return part[np.maximum.accumulate(before)]


def without_holes(panel: Panel, roles: Roles, fill: Fill) -> Panel:
    """Missing values filled in within each series; a column without any in one gets 0 there."""
    missing = np.isnan(panel.values)
    if not missing.any():
        return panel
    notes = list(panel.notes)
    for channel, name in enumerate(roles.channels):
        holes = missing[:, channel]
        if holes.any():
            _filled(panel.values[:, channel], holes, panel.starts, fill)
            notes += _missing_notes(panel, holes, name, roles, fill)
    return replace(panel, filled=missing, notes=tuple(notes))


def _missing_notes(
    panel: Panel, missing: Mask, name: str, roles: Roles, fill: Fill
) -> Iterator[Note]:
    """Yield notes on the missing values of a channel, and on the series that have no other."""
    empty = np.logical_and.reduceat(missing, panel.starts[:-1])
    between = missing & ~np.repeat(empty, panel.lengths)
    if between.any() or fill == "refuse":
        row = int((between if between.any() else missing).argmax())
        series = int(np.searchsorted(panel.starts, row, side="right")) - 1
        count, where = int(between.sum()), panel.name(series, roles.series)
        yield _missing_note(name, count or int(missing.sum()), where, fill)
    if empty.any():
        such = panel.name(int(empty.argmax()), roles.series)
        why = (
            f"{plain(name, 60)}: no value at all in {counted(int(empty.sum()), 'series', 'series')}"
            f", such as {such}: 0 is taken there"
            + "; its forecasts of it mean nothing"
            * (name in roles.targets)
        )
        yield Note(why, plain(name, 60), "0", int((missing & ~between).sum()))


def _missing_note(name: str, count: int, where: str, fill: Fill) -> Note:
    shown = plain(name, 60)
    text = f"{shown}: {counted(count, 'step')} without a value (the first in {where})"
    if fill == "refuse":
        raise DataError(f"{text}.", "Choose how to fill them with task.fill.")
    return Note(f"{text}, filled ({fill})", shown, f"filled ({fill})", count, change="task.fill")


def _filled(values: Values, missing: Mask, starts: Rows, fill: Fill) -> None:
    """Fill in one column, in its place."""
    rows = np.flatnonzero(missing)
    known = np.flatnonzero(~missing)
    series = np.searchsorted(starts, rows, side="right") - 1
    place = np.searchsorted(known, rows)
    before = known[np.maximum(place - 1, 0)] if len(known) else np.full(len(rows), -1)
    after = known[np.minimum(place, len(known) - 1)] if len(known) else before
    has_before = (place > 0) & (before >= starts[series])
    has_after = (after > rows) & (after < starts[series + 1])
    before, after = np.where(has_before, before, after), np.where(has_after, after, before)
    if fill == "previous":
        after = np.where(has_before, before, after)
    share = np.where(after > before, (rows - before) / np.maximum(after - before, 1), 0.0)
    drawn = values[before] * (1 - share) + values[after] * share
    values[rows] = np.where(has_before | has_after, drawn, 0.0)
