"""Doubts about values of series: those far from all others, and sums of the other series."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.data.readers.around import TOTAL
from engine.data.series.panel import Mask, Panel, Rows, key_texts
from engine.data.series.read import Series
from engine.data.series.roles import Roles
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

Numbers = NDArray[np.float64]

_FAR = 50.0
"""Standard deviations of the others from which on a value is a mark or a mistake."""
_FEW = 0.05
"""Share of the rows of a series up to which one value is no usual one."""
_ALL = ("all", "overall", "alle", "tous", "toutes", "todos", "todas", "tutti", "tutte")
_LEAST_ROWS = 20
_LEAST_SERIES = 3
"""Of two series that one is the sum is that the other is 0 or the same."""
_MOSTLY = 0.95
_AT_ONCE = 2**20
"""Rows that are looked at together, with the rest of a series."""
_ROUNDED = 1e-4
"""Relative difference of a sum that was rounded."""


def far_values(series: Series, roles: Roles) -> list[Note]:
    """Return notes on values that lie far from all others of their column."""
    starts = np.array([0, len(series)])
    return _far(series.values, series.filled, starts, roles, lambda row: _when(series, row))


def far_values_of_panel(panel: Panel, roles: Roles) -> list[Note]:
    """Return notes on values that lie far from all others of their series, in each column."""

    def where(row: int) -> str:
        series = int(np.searchsorted(panel.starts, row, side="right")) - 1
        return f"{_when(panel, row)} in {panel.name(series, roles.series)}"

    return _far(panel.values, panel.filled, panel.starts, roles, where)


def sums_of_others(panel: Panel, roles: Roles) -> list[Note]:
    """Return a note on a series that is the sum of all others at nearly all times.

    Otherwise one on series that are named as sums.
    """
    return _sum_of_all(panel, roles) or _named_as_sums(panel, roles)


def _sum_of_all(panel: Panel, roles: Roles) -> list[Note]:
    if len(panel) < _LEAST_SERIES:
        return []
    values = panel.values[:, 0]
    own = np.ones(len(values), np.bool_) if panel.filled is None else ~panel.filled[:, 0]
    number = np.unique(panel.times, return_inverse=True)[1]
    others = np.bincount(number, values * own)[number] - values
    size = np.abs(values)
    several = np.bincount(number, own)[number] >= _LEAST_SERIES
    close = own & several & (size > 0) & (np.abs(others - values) <= _ROUNDED * size)
    counts = np.add.reduceat((own & (size > 0)).astype(np.int64), panel.starts[:-1])
    shares = np.add.reduceat(close.astype(np.int64), panel.starts[:-1]) / np.maximum(counts, 1)
    found = np.flatnonzero((shares >= _MOSTLY) & (counts >= _LEAST_ROWS))
    return [
        Note(
            f"{panel.name(int(i), roles.series)} is the sum of all other series: it is learned, "
            "and its errors count, beside its parts",
            read_as="series",
            rows=int(panel.lengths[i]),
        )
        for i in found[:1]
    ]


def _named_as_sums(panel: Panel, roles: Roles) -> list[Note]:
    """Return a note on series that are named as totals, such as ``store = All``."""
    texts = key_texts(panel.keys, roles.series)
    named = [any(map(_is_total, values)) for values in zip(*texts, strict=True)]
    count = sum(named)
    if not count or count == len(panel):
        return []
    such = panel.name(named.index(True), roles.series)
    be, they = ("is", "it is") if count == 1 else ("are", "they are")
    why = (
        f"{counted(count, 'series', 'series')}, such as {such}, {be} named as sums of others: "
        f"{they} learned, and their errors count, beside their parts"
    )
    return [Note(why, read_as="series", rows=int(panel.lengths[np.array(named)].sum()))]


def _is_total(name: str) -> bool:
    text = name.strip()
    return text.lower() in _ALL or TOTAL.fullmatch(text) is not None


def _when(part: Series | Panel, row: int) -> str:
    text = part.frequency.text(int(part.times[row]))
    return f"at {text}" if part.frequency.dated else f"at step {text}"


def _far(
    values: Numbers, filled: Mask | None, starts: Rows, roles: Roles, where: Callable[[int], str]
) -> list[Note]:
    notes = []
    for place, name in enumerate(roles.numeric):
        column = values[:, place]
        known = np.ones(len(column), np.bool_) if filled is None else ~filled[:, place]
        for rows in _both_ends(column, known, starts):
            shown, example = plain(name, 60), f"{column[rows[0]]:,.6g}"
            why = (
                f"{shown}: {counted(len(rows), 'value')}, such as {example} {where(int(rows[0]))}, "
                f"more than {_FAR:g} standard deviations from the others: is it a mark for a "
                "missing value, or a mistake? It is learned, and scales depend on it"
            )
            notes.append(Note(why, shown, "numbers", len(rows)))
    return notes


def _both_ends(values: Numbers, known: Mask, starts: Rows) -> Iterator[Rows]:
    """Yield the rows of values that lie far from the others: the least ones, and the largest."""
    blocks = np.searchsorted(starts, np.arange(0, starts[-1], _AT_ONCE))
    found: list[list[Rows]] = [[], []]
    for first, last in itertools.pairwise([*np.unique(blocks).tolist(), len(starts) - 1]):
        begin, end = starts[first], starts[last]
        own = _extremes(values[begin:end], known[begin:end], starts[first : last + 1] - begin)
        for rows, place in zip(own, found, strict=True):
            place.append(rows + begin)
    whole = (np.concatenate(rows) for rows in found)
    yield from (rows for rows in whole if len(rows))


def _extremes(values: Numbers, known: Mask, starts: Rows) -> Iterator[Rows]:
    """Yield the rows of the least values of each series that lie far off, and of the largest."""
    lengths, begins = np.diff(starts), starts[:-1]

    def few(same: Mask) -> Mask:
        counts = np.add.reduceat(same.astype(np.int64), begins)
        return same & np.repeat(counts <= _FEW * lengths, lengths)

    ends = []
    for least, other in ((np.minimum, np.inf), (np.maximum, -np.inf)):
        extreme = least.reduceat(np.where(known, values, other), begins)
        ends.append(few(known & (values == np.repeat(extreme, lengths))))
    rest = known & ~ends[0] & ~ends[1]
    count = np.maximum(np.add.reduceat(rest.astype(np.float64), begins), 1)
    mean = np.repeat(np.add.reduceat(np.where(rest, values, 0.0), begins) / count, lengths)
    squares = np.add.reduceat(np.where(rest, np.square(values - mean), 0.0), begins)
    spread = np.repeat(np.sqrt(squares / count), lengths)
    usable = (spread > 0) & np.repeat(lengths >= _LEAST_ROWS, lengths)
    for end in ends:
        yield np.flatnonzero(end & usable & (np.abs(values - mean) > _FAR * spread))
