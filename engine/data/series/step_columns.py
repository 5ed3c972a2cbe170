"""Tables with a column for each step of time, as M5 and the World Bank keep them, as a row a step.

The columns are called ``d_1``, ``2020-01-31``, ``1/22/20`` or ``1960 [YR1960]``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from engine.data.dates.spellings import QUARTERS, WEEKS, spelled
from engine.data.series.cells import (
    Drawn,
    cell_values,
    drawn_columns,
    drawn_notes,
    holds_texts,
    may_be_values,
)
from engine.data.series.listed_series import SERIES, TIME, VALUE
from engine.data.series.times import irregular, is_date_column
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_FEWEST_DATES = 5
"""Fewer columns called after dates than this are no steps."""
_FEWEST_NUMBERED = 24
"""Fewer columns of one name and rising numbers than this are none either."""
_TRIED = 100
_MOSTLY_OTHERS = 0.75
"""A form that reads fewer of some names cannot read more than half of all."""
_YEAR = r"[12]\d{3}"
_FORMATS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m", "%m/%d/%y", "%d/%m/%y", "%m/%d/%Y", "%d/%m/%Y",
    "%d.%m.%Y", "%d.%m.%y", "%Y%m%d", "%Y %b", "%b-%y", "%b-%Y", "%b %y", "%b %Y", "%YM%m",
    "%m/%Y", "%m.%Y", "%Y", QUARTERS, WEEKS,
)  # fmt: skip
_WORLD_BANK = re.compile(r"(\d{4}) \[YR\d{4}\]")
_NUMBERED = re.compile(r"([A-Za-z]+_?)(\d+)")


@dataclass(frozen=True, slots=True)
class StepColumns:
    """The columns of a table that are steps of time, and their times."""

    columns: tuple[str, ...]
    times: tuple[datetime | int, ...]
    drawn: Drawn = ()
    """Columns that are sums or the like of the others, and as what."""

    def without_drawn(self, table: pa.Table, named: Collection[str]) -> StepColumns:
        """Return the same that leaves out sums and the like, except those that are ``named``."""
        others = [name for name in table.column_names if name not in {*self.columns, *named}]
        return replace(self, drawn=drawn_columns(table, self.columns, others))

    def notes(self, table: pa.Table) -> tuple[Note, ...]:
        """Return the note on how the training rows were read."""
        first, last = plain(self.columns[0], 40), plain(self.columns[-1], 40)
        why = f"{counted(len(self.columns), 'column')} from {first} to {last} are steps of time, "
        why += f"each row a series: {counted(table.num_rows, 'series', 'series')}"
        note = Note(why, VALUE, "series", table.num_rows, kind="converted")
        return (note, *drawn_notes(self.drawn, "row", table.num_rows))

    def rows(self, table: pa.Table) -> pa.Table:
        """Return a row for each value; columns that a table lacks are no steps.

        Raises :class:`~engine.errors.DataError` for a cell that is not read.
        """
        present = [n for n, name in enumerate(self.columns) if name in table.column_names]
        names = [self.columns[n] for n in present]
        left = {*names, *(name for name, _ in self.drawn)}
        others = [name for name in table.column_names if name not in left]
        count, steps = table.num_rows, len(names)
        owner = pa.array(np.repeat(np.arange(count), steps))
        columns = {name: table[name].take(owner) for name in others}
        if not others:
            columns[SERIES] = pa.array(np.repeat(np.arange(1, count + 1), steps)).cast(pa.string())
        times = pa.array([self.times[n] for n in present])
        columns[TIME] = times.take(pa.array(np.tile(np.arange(steps), count)))
        columns[VALUE] = cell_values(table, names)
        return pa.table(columns).replace_schema_metadata(table.schema.metadata)


def step_columns(table: pa.Table) -> StepColumns | None:
    """Return the columns that are steps of time, by their names; ``None`` for other tables."""
    names = [field.name for field in table.schema if may_be_values(field.type)]
    dated = _dated(names)
    if not _mostly_numbers(table, [name for name, _ in dated]):
        dated = []
    others = [name for name in table.column_names if name not in {column for column, _ in dated}]
    if len(dated) >= _FEWEST_DATES and len(dated) > len(others):
        return StepColumns(*zip(*dated, strict=True))
    numbered = _numbered(names)
    rest = [name for name in table.column_names if name not in numbered]
    rest = [name for name in rest if not is_date_column(name, table[name])]
    if len(numbered) < _FEWEST_NUMBERED or not rest or not _are_ids(table, rest):
        return None
    if not _mostly_numbers(table, numbered):
        return None
    return StepColumns(tuple(numbered), tuple(_number_of(name) for name in numbered))


def _dated(names: Sequence[str]) -> list[tuple[str, datetime]]:
    """Return the columns that are called after dates, which rise.

    Of several forms the one counts that has most of them, and then the fewest steps without one.
    """
    texts = pd.Series([_WORLD_BANK.sub(r"\1", name.strip()) for name in names], dtype=object)
    best: list[tuple[str, datetime]] = []
    least = (0, 0.0)
    some = texts.iloc[:: len(texts) // _TRIED | 1]  # odd: every other column may be a flag
    for form in _FORMATS if texts.str.contains(r"\d", regex=True).any() else ():
        if spelled(some, form).wrong.mean() > _MOSTLY_OTHERS:
            continue
        moments = spelled(texts, form).moments
        if form == "%Y":
            moments = np.where(texts.str.fullmatch(_YEAR), moments, np.datetime64("NaT"))
        rows = np.flatnonzero(~np.isnat(moments))
        rising = bool((np.diff(moments[rows]) > np.timedelta64(0)).all())
        if len(rows) < _FEWEST_DATES or not rising or len(rows) * 2 <= len(names):
            continue
        rank = (-len(rows), irregular(moments[rows]))
        if not best or rank < least:
            found = moments[rows].astype("M8[us]").tolist()
            columns = (names[n] for n in rows.tolist())
            best, least = list(zip(columns, found, strict=True)), rank
    return best


def _mostly_numbers(table: pa.Table, names: Sequence[str]) -> bool:
    """Return whether most columns hold numbers, so that texts in the others are mistakes."""
    return 2 * sum(not holds_texts(table[name]) for name in names) > len(names)


def _numbered(names: Sequence[str]) -> list[str]:
    """Return the longest run of columns of one name whose numbers rise by one, as ``d_1``."""
    best: list[str] = []
    run: list[str] = []
    before: tuple[str, int] | None = None
    for name in names:
        found = _NUMBERED.fullmatch(name)
        now = (found[1], _number_of(name)) if found else None
        follows = now is not None and before is not None and now == (before[0], before[1] + 1)
        run = [*run, name] if follows else [name] if now else []
        before = now
        best = run if len(run) > len(best) else best
    return best


def _number_of(name: str) -> int:
    return int(re.findall(r"\d+", name)[-1])


def _are_ids(table: pa.Table, names: Sequence[str]) -> bool:
    """Return whether columns are texts that tell all rows apart, as dates alone do not."""
    if not all(pa.types.is_string(table.schema.field(name).type) for name in names):
        return False
    different = table.select(list(names)).group_by(list(names)).aggregate([])
    return bool(different.num_rows == table.num_rows)
