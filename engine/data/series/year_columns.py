"""Tables with a year a row and a column for each month, quarter or week of it, as a row for each.

The column ``month``, ``quarter`` or ``week`` is put beside the year. A 53rd week without a value
has no row.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.dates.calendar_parts import weeks_of
from engine.data.dates.month_names import with_short_months
from engine.data.series.cells import (
    Drawn,
    cell_values,
    drawn_columns,
    drawn_notes,
    holds_texts,
    may_be_values,
)
from engine.data.series.listed_series import VALUE
from engine.data.series.time_parts import year_column
from engine.data.series.times import is_date_column
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_COUNTED = re.compile(r"(?P<word>[a-z]+)[ _.-]*(?P<number>\d{1,2})")
_WORDS = {
    "m": "month", "month": "month", "monat": "month", "mois": "month", "mes": "month",
    "q": "quarter", "qtr": "quarter", "quarter": "quarter", "quartal": "quarter",
    "w": "week", "wk": "week", "week": "week", "kw": "week", "woche": "week", "semaine": "week",
}  # fmt: skip
_COUNTS = {"month": (12,), "quarter": (4,), "week": (52, 53)}
_LONG = 53


@dataclass(frozen=True, slots=True)
class YearColumns:
    """The columns of a table that are parts of the year of its row."""

    part: str
    """``month``, ``quarter`` or ``week``."""
    columns: tuple[str, ...]
    """In the order of time."""
    drawn: Drawn = ()
    """Columns that are sums or the like of the others, and as what."""

    def without_drawn(self, table: pa.Table, named: Collection[str]) -> YearColumns:
        """Return the same that leaves out sums and the like, except those that are ``named``."""
        others = [n for n in table.column_names if n not in {*self.columns, *named}]
        others = [name for name in others if name != year_column(table.column_names)]
        return replace(self, drawn=drawn_columns(table, self.columns, others))

    def notes(self, table: pa.Table) -> tuple[Note, ...]:
        """Return notes on how the training rows were read."""
        first, last, many = plain(self.columns[0], 40), plain(self.columns[-1], 40), table.num_rows
        empty = cell_values(table, self.columns).null_count
        why = (
            f"{counted(len(self.columns), 'column')} from {first} to {last} are the {self.part}s "
            f"of a year: {counted(many, 'row')} of a year are "
            f"{counted(len(self.columns) * many, 'row')}, {empty:,} of them empty"
        )
        note = Note(why, VALUE, "series", many, kind="converted")
        return (note, *drawn_notes(self.drawn, "year", many))

    def rows(self, table: pa.Table) -> pa.Table:
        """Return a row for each part; raises ``DataError`` for a cell that is not read."""
        present = [n for n, name in enumerate(self.columns) if name in table.column_names]
        names = [self.columns[n] for n in present]
        left = {*self.columns, *(name for name, _ in self.drawn)}
        values = cell_values(table, names)
        place = np.tile(np.array(present) + 1, table.num_rows)
        known = np.asarray(pc.is_valid(values))
        _check_long(table, names[-1], known & (place == _LONG))
        kept = known | (place < _LONG)
        taken = pa.array(np.repeat(np.arange(table.num_rows), len(names))[kept])
        columns = {n: table[n].take(taken) for n in table.column_names if n not in left}
        columns[self.part] = pa.array(place[kept])
        columns[VALUE] = values.filter(pa.array(kept))
        return pa.table(columns).replace_schema_metadata(table.schema.metadata)


def year_columns(table: pa.Table) -> YearColumns | None:
    """Return the columns that are parts of the year of their row; ``None`` for other tables."""
    if not year_column(table.column_names):
        return None
    found = _parts_of_year([field.name for field in table.schema if may_be_values(field.type)])
    if found is None or any(holds_texts(table[name]) for name in found.columns):
        return None
    others = [name for name in table.column_names if name not in found.columns]
    lower = {name.strip().lower() for name in others}
    if lower & {found.part, VALUE} or any(is_date_column(name, table[name]) for name in others):
        return None
    return found


def _check_long(table: pa.Table, name: str, known: NDArray[np.bool_]) -> None:
    """Refuse a value of a 53rd week in a year that has 52 of them."""
    rows = np.flatnonzero(known) // max(1, len(known) // table.num_rows)
    years = table[year_column(table.column_names)].take(pa.array(rows)).to_pandas()
    weeks = np.full(len(rows), float(_LONG))
    wrong = np.isnat(weeks_of(pd.to_numeric(years, errors="coerce").to_numpy(np.float64), weeks))
    if wrong.any():
        row = int(rows[wrong.argmax()])
        raise DataError(
            f"The column {plain(name, 40)!r} has a value in row {row + 1:,}, of a year with 52 "
            f"weeks ({plain(str(years.iloc[int(wrong.argmax())]), 20)}).",
            "Remove the value, or add it to another week.",
        )


def _parts_of_year(names: Sequence[str]) -> YearColumns | None:
    short = with_short_months(pd.Series(["January", *names], dtype=object).str.strip())[1:]
    months = {text: name for text, name in zip(short, names, strict=True) if text in _MONTHS}
    if len(months) == len(_MONTHS) == sum(text in _MONTHS for text in short):
        return YearColumns("month", tuple(months[month] for month in _MONTHS))
    parts: dict[str, dict[int, str]] = {part: {} for part in _COUNTS}
    for name in names:
        match = _COUNTED.fullmatch(name.strip().lower())
        if match and match["word"] in _WORDS:
            parts[_WORDS[match["word"]]].setdefault(int(match["number"]), name)
    for part, found in parts.items():
        if len(found) in _COUNTS[part] and {*found} == {*range(1, len(found) + 1)}:
            return YearColumns(part, tuple(found[number] for number in sorted(found)))
    return None
