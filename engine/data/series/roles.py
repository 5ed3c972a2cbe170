"""The roles of a table's columns in a series: time, targets, inputs, known ahead, static."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.data.column_names import ROW_NUMBERS
from engine.data.raw import decimal_mark_of
from engine.data.series.channels import first_text, has_numbers, is_number
from engine.data.series.indicators import find_categories, indicator_names
from engine.data.series.time_parts import find_time_parts
from engine.data.series.times import find_time_column
from engine.errors import DataError
from engine.files.sanitize import plain

_LEAST_COUNTED = 20
"""Fewer rows may rise by one by accident."""
_ROW_NUMBER = re.compile(
    r"unnamed: ?\d+|column_1|#|(id|index|idx|instant|obs|sno|s\.no\.?|nr|no)"
    r"|(row|record|line)([ _-]?(id|nr|no|num|number|index))?"
)
_TARGET_NAMES = ("target", "y", "value", "ot")
_LIKELY_NAMES = (
    ("price",),
    ("close", "adj close"),
    ("quantity", "qty", "units", "units_sold", "units sold", "num_sold", "count", "cnt", "revenue",
     "turnover", "consumption", "umsatz", "absatz", "menge", "verbrauch", "ventes", "ventas"),
    ("sales", "demand", "load", "unit_sales", "weekly_sales", "daily_sales"),
)  # fmt: skip
"""Names of columns that are forecast more often than those beside them, from group to group."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles of a table's columns: time, targets, inputs."""

    time: str
    """Empty where no column has the time and rows are just in order."""
    targets: tuple[str, ...]
    inputs: tuple[str, ...]
    """Columns that are seen beside the targets."""
    parts: tuple[str, ...] = ()
    """Columns that together have the time, such as year and month; else empty."""
    series: tuple[str, ...] = ()
    """Columns that tell series apart; empty for one series."""
    known: tuple[str, ...] = ()
    """Columns of numbers that are known for the horizon."""
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns of categories that are known for the horizon, and the categories of each."""
    static: tuple[str, ...] = ()
    """Columns that are the same in all rows of a series."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From plain values, as they are kept in a table's schema."""
        lists = {name: tuple(v) for name, v in values.items() if name not in ("time", "categories")}
        categories = {name: tuple(v) for name, v in values.get("categories", {}).items()}
        return cls(time=values["time"], **lists, categories=categories)

    @property
    def numeric(self) -> tuple[str, ...]:
        """All columns of numbers that change in time, targets first."""
        return (*self.targets, *self.inputs, *self.known)

    @property
    def channels(self) -> tuple[str, ...]:
        """Columns of numbers, and behind them one for each category that is known ahead."""
        return (*self.numeric, *indicator_names(self.categories))

    @property
    def past(self) -> int:
        """Number of leading channels that are known for the past alone."""
        return len(self.targets) + len(self.inputs)

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns that rows to predict from have."""
        return (*self.series, *self.time_columns, *self.numeric, *self.categories, *self.static)

    @property
    def ahead(self) -> tuple[str, ...]:
        """The columns that rows of the horizon have; empty where nothing is known ahead."""
        known = (*self.known, *self.categories)
        return (*self.series, *self.time_columns, *known) if known else ()

    @property
    def time_columns(self) -> tuple[str, ...]:
        """The columns that have the time."""
        return self.parts or ((self.time,) if self.time else ())


def find_roles(
    table: pa.Table,
    time: str = "",
    targets: Sequence[str] = (),
    inputs: Sequence[str] = (),
    series: Sequence[str] = (),
    known: Sequence[str] = (),
    static: Sequence[str] = (),
    categorical: Collection[str] = (),
) -> Roles:
    """The columns that were named, and for those that were not, the likeliest.

    Without ``targets`` a column with a usual name is taken, else the last one of numbers that
    changes; without ``inputs`` all columns of numbers. Those ``known`` ahead are categories where
    they hold texts or are ``categorical``. Raises :class:`DataError` for a missing column.
    """
    given = Roles(
        time, tuple(targets), tuple(inputs), (), tuple(series), tuple(known), {}, tuple(static)
    )
    check_columns(table, given)
    _check_apart(given)
    beside = (*series, *known, *static)
    time = time or find_time_column(table.drop_columns([*{*beside}]))
    parts = find_time_parts(table, time, (*targets, *inputs, *beside))
    taken = (time, *parts, *beside)
    numeric = [
        name
        for name in table.column_names
        if name not in taken
        and not ROW_NUMBERS.fullmatch(name)
        and has_numbers(table[name], decimal_mark_of(table))
    ]
    if time:
        numeric = [name for name in numeric if not _counts_rows(name, table[name])] or numeric
    if not targets:
        if not numeric:
            raise _no_numbers(table, [name for name in table.column_names if name not in taken])
        targets = [_likely_target(table, numeric)]
    targets = tuple(dict.fromkeys(targets))
    seen = [name for name in inputs or numeric if name not in targets]
    return replace(
        given,
        time=" ".join(parts) or time,
        targets=targets,
        inputs=tuple(name for name in dict.fromkeys(seen) if name not in beside),
        parts=parts,
        **_known(table, known, categorical),
    )


def _no_numbers(table: pa.Table, names: Sequence[str]) -> DataError:
    """Return the error of a table without a target; it shows the first text among numbers."""
    decimal = decimal_mark_of(table)
    for name in names:
        if (row := first_text(table[name], decimal)) is not None:
            return DataError(
                f"The data has no numeric column to forecast: {plain(name, 60)!r} holds "
                f"{plain(str(table[name][row].as_py()), 40)!r} in row {row + 1:,}.",
                "Correct the row, or leave its value empty.",
            )
    return DataError("The data has no numeric column to forecast.")


def _known(table: pa.Table, names: Sequence[str], categorical: Collection[str]) -> dict[str, Any]:
    """The columns that are known ahead, as numbers or as categories."""
    decimal = decimal_mark_of(table)
    numbers = [n for n in names if n not in categorical and has_numbers(table[n], decimal)]
    categories = {n: find_categories(table[n], n) for n in names if n not in numbers}
    for name in indicator_names(categories):
        if name in table.column_names:
            raise DataError(
                f"The column {plain(name, 60)!r} has the name of a category that is known ahead.",
                "Rename it.",
            )
    return {"known": tuple(dict.fromkeys(numbers)), "categories": categories}


def _check_apart(roles: Roles) -> None:
    """Raise :class:`DataError` for a column that is given two roles that exclude each other."""
    fields = {
        "series": roles.series, "known_future": roles.known, "static": roles.static,
        "time": (roles.time,) * bool(roles.time), "targets": roles.targets,
    }  # fmt: skip
    first: dict[str, str] = {}
    for role, names in fields.items():
        for name in names:
            if first.setdefault(name, role) != role:
                raise DataError(
                    f"The column {plain(name, 60)!r} is in task.{first[name]} and in task.{role}.",
                    "Take it out of one of them.",
                )
    for name in roles.inputs:
        if name in first and first[name] != "targets":
            raise DataError(
                f"The column {plain(name, 60)!r} is in task.{first[name]} and in task.inputs.",
                "Take it out of one of them.",
            )


def _counts_rows(name: str, column: pa.ChunkedArray) -> bool:
    """Whether whole numbers are named as those of rows, and rise by one from row to row."""
    if _ROW_NUMBER.fullmatch(name.strip().lower()) is None:
        return False
    if not pa.types.is_integer(column.type) or column.null_count or len(column) < _LEAST_COUNTED:
        return False
    steps = np.diff(column.to_numpy().astype(np.int64))
    return bool((steps == 1).all())


def _likely_target(table: pa.Table, numeric: Sequence[str]) -> str:
    """The column of numbers that is the likeliest to be forecast: one that changes."""
    changing = [name for name in numeric if pc.count_distinct(table[name]).as_py() > 1] or numeric
    usual = [name for name in changing if name.strip().lower() in _TARGET_NAMES]
    likely = [n for group in _LIKELY_NAMES for n in changing if n.strip().lower() in group]
    typed = [name for name in changing if is_number(table[name].type)]
    return (usual or likely or typed or changing)[-1]


def check_columns(table: pa.Table, roles: Roles) -> None:
    """Raise :class:`DataError` for a column of ``roles`` that the table lacks."""
    times = (roles.time,) if roles.time in table.column_names else roles.time_columns
    fields = {
        "series": roles.series, "time": times, "targets": roles.targets, "inputs": roles.inputs,
        "known_future": (*roles.known, *roles.categories), "static": roles.static,
    }  # fmt: skip
    for role, names in fields.items():
        for name in names:
            if name not in table.column_names:
                known = ", ".join(plain(column, 40) for column in table.column_names[:20])
                raise DataError(
                    f"The data has no column {plain(name, 60)!r} (task.{role}).",
                    f"It has {known}.",
                )


def unused_columns(table: pa.Table, roles: Roles) -> list[str]:
    """Columns without a role, each with its type."""
    used = set(roles.asked)
    return [f"{name} ({table[name].type})" for name in table.column_names if name not in used]
