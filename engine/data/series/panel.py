"""Several series in flat arrays, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.series.channels import Values
from engine.data.series.frequency import Frequency, Times
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import texts
from engine.files.sanitize import plain
from engine.reports.note import Note

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

NAMELESS = "(missing)"
"""The name shown for a missing value of a column that tells series apart."""


@dataclass(frozen=True)
class Panel:
    """Numbers of several series, each at regular times and in their order."""

    keys: pa.Table
    """``[series]``: one row a series, with the columns that tell them apart."""
    starts: Rows
    """``[series + 1]``: the first row of each series, and the number of rows."""
    times: Times
    """``[rows]``."""
    values: Values
    """``[rows, channels]``."""
    frequency: Frequency
    filled: Mask | None = None
    """``[rows, channels]``, the values that were filled in; ``None`` where none was."""
    part: NDArray[np.int8] | None = None
    """``[rows]``, the number of the split that the source gives a row."""
    notes: tuple[Note, ...] = ()
    spelling: str = ""
    writing: str = ""
    formats: Mapping[str, NumberFormat] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Rows:
        """``[series]``."""
        return np.diff(self.starts)

    @property
    def codes(self) -> Rows:
        """``[rows]``, the number of the series of each row."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def steps(self) -> Rows:
        """``[rows]``, the number of each row in its series."""
        return np.arange(len(self.times)) - np.repeat(self.starts[:-1], self.lengths)

    def ranges(self, begins: Rows, ends: Rows) -> Panel:
        """Return some rows of each series, from ``begins`` to ``ends``, both counted in all rows.

        Series without any are left out.
        """
        some = np.flatnonzero(ends > begins)
        begins, counts = begins[some], (ends - begins)[some]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.arange(starts[-1]) + np.repeat(begins - starts[:-1], counts)
        return replace(
            self,
            keys=self.keys.take(some),
            starts=starts,
            times=self.times[rows],
            values=self.values[rows],
            filled=None if self.filled is None else self.filled[rows],
            part=None if self.part is None else self.part[rows],
        )

    def chosen(self, series: Mask) -> Panel:
        """Return some of the series."""
        if series.all():
            return self
        begins = self.starts[:-1]
        return self.ranges(begins, np.where(series, self.starts[1:], begins))

    def name(self, series: int, columns: Sequence[str]) -> str:
        """Return a series' name for people: ``shop = A, product = 3``."""
        return key_name(self.keys, series, columns)


def key_name(keys: pa.Table, row: int, columns: Sequence[str]) -> str:
    """Return the values of ``columns`` in a row for people: ``shop = A, product = 3``."""
    return name_of([each[0] for each in key_texts(keys.slice(row, 1), columns)], columns)


def name_of(values: Sequence[str], columns: Sequence[str]) -> str:
    """Return a series' name for people from the texts of :func:`key_texts`."""
    return ", ".join(
        f"{plain(name, 40)} = {shown_text(value)}"
        for name, value in zip(columns, values, strict=True)
    )


def shown_text(value: str) -> str:
    """Return one text of :func:`key_texts` for people, which says where it is missing."""
    return plain(value, 40) or NAMELESS


def key_texts(keys: pa.Table, columns: Sequence[str]) -> list[list[str]]:
    """Return the columns that tell series apart as texts: 1 and 1.0 are the same, NA is a name."""
    return [_texts_of(keys[name]) for name in columns]


def _texts_of(column: pa.ChunkedArray) -> list[str]:
    found: list[str] = texts(column, as_written=True).fill_null("").to_pylist()
    return found


def find_keys(known: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]) -> Rows:
    """Return the place of each ``wanted`` key among those ``known``, -1 for a new one.

    Both are lists of columns.
    """
    places = pd.DataFrame(dict(enumerate(known)))
    places["place"] = np.arange(len(places))
    found = pd.DataFrame(dict(enumerate(wanted))).merge(places, how="left")["place"]
    return found.fillna(-1).to_numpy(np.int64)


def number_series(table: pa.Table, names: Sequence[str]) -> tuple[Rows, Rows]:
    """Return the series of each row, by a number, and the first row of each series.

    Values that are the same as texts, such as 1 and 1.0, are those of one series.
    """
    combined = np.zeros(table.num_rows, np.int64)
    for name in names:
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        encoded = column.combine_chunks().dictionary_encode("encode")
        indices = encoded.indices.to_numpy(zero_copy_only=False)
        written = _texts_of(pa.chunked_array([encoded.dictionary]))
        codes, different = pd.factorize(np.array(written, np.object_))
        combined = combined * len(different) + codes[indices]
        combined = pd.factorize(combined)[0].astype(np.int64)
    firsts = np.zeros(int(combined.max(initial=-1)) + 1, np.int64)
    firsts[combined[::-1]] = np.arange(len(combined))[::-1]
    return combined, firsts
