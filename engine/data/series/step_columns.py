"""Tables with a column for each step of time, as M5 and the World Bank keep them, as a row a step.

The columns are called ``d_1``, ``2020-01-31``, ``1/22/20`` or ``1960 [YR1960]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa

from engine.data.series.listed_series import SERIES, TIME, VALUE
from engine.data.series.times import is_date_column
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_FEWEST_DATES = 5
"""Fewer columns called after dates than this are no steps."""
_FEWEST_NUMBERED = 24
"""Fewer columns of one name and rising numbers than this are none either."""
_FORMATS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m", "%m/%d/%y", "%d/%m/%y", "%m/%d/%Y", "%d/%m/%Y",
    "%d.%m.%Y", "%Y%m%d", "%Y %b", "%b-%y", "%b %Y", "%YM%m", "%Y",
)  # fmt: skip
_WORLD_BANK = re.compile(r"(\d{4}) \[YR\d{4}\]")
_NUMBERED = re.compile(r"([A-Za-z]+_?)(\d+)")


@dataclass(frozen=True, slots=True)
class StepColumns:
    """The columns of a table that are steps of time, and their times."""

    columns: tuple[str, ...]
    times: tuple[datetime | int, ...]

    def notes(self, table: pa.Table) -> tuple[Note, ...]:
        """Return the note on how the training rows were read."""
        first, last = plain(self.columns[0], 40), plain(self.columns[-1], 40)
        why = f"{counted(len(self.columns), 'column')} from {first} to {last} are steps of time, "
        why += f"each row a series: {counted(table.num_rows, 'series', 'series')}"
        return (Note(why, VALUE, "series", table.num_rows, kind="converted"),)

    def rows(self, table: pa.Table) -> pa.Table:
        """Return a row for each value that is known; columns that a table lacks are no steps."""
        present = [n for n, name in enumerate(self.columns) if name in table.column_names]
        names = [self.columns[n] for n in present]
        others = [name for name in table.column_names if name not in names]
        count, steps = table.num_rows, len(names)
        owner = pa.array(np.repeat(np.arange(count), steps))
        columns = {name: table[name].take(owner) for name in others}
        if not others:
            columns[SERIES] = pa.array(np.repeat(np.arange(1, count + 1), steps)).cast(pa.string())
        times = pa.array([self.times[n] for n in present])
        columns[TIME] = times.take(pa.array(np.tile(np.arange(steps), count)))
        values = [table[name].cast(pa.float64()).to_numpy() for name in names]
        columns[VALUE] = pa.array(np.stack(values, 1).reshape(-1), from_pandas=True)
        return pa.table(columns)


def step_columns(table: pa.Table) -> StepColumns | None:
    """Return the columns that are steps of time, by their names; ``None`` for other tables."""
    names = [f.name for f in table.schema if _is_number(f.type) or pa.types.is_null(f.type)]
    dated = list(_dated(names))
    others = [name for name in table.column_names if name not in {column for column, _ in dated}]
    if len(dated) >= _FEWEST_DATES and len(dated) > len(others):
        return StepColumns(*zip(*dated, strict=True))
    numbered = _numbered(names)
    rest = [name for name in table.column_names if name not in numbered]
    rest = [name for name in rest if not is_date_column(name, table[name])]
    if len(numbered) < _FEWEST_NUMBERED or not rest or not _are_ids(table, rest):
        return None
    return StepColumns(tuple(numbered), tuple(_number_of(name) for name in numbered))


def _dated(names: Sequence[str]) -> Iterator[tuple[str, datetime]]:
    """Yield the columns that are called after dates, which rise, by the first form that fits."""
    spelled = {name: _WORLD_BANK.sub(r"\1", name.strip()) for name in names}
    for form in _FORMATS:
        found = [(name, time) for name in names if (time := _parsed(spelled[name], form))]
        rising = all(one[1] < other[1] for one, other in pairwise(found))
        if len(found) >= _FEWEST_DATES and rising and len(found) * 2 > len(names):
            yield from found
            return


def _parsed(text: str, form: str) -> datetime | None:
    if form == "%Y" and not 1000 <= int(text if text.isdecimal() else 0) <= 2999:
        return None
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None


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


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
