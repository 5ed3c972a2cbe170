"""The roles of a table's columns in a series: time, targets, inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from engine.data.raw import decimal_mark_of
from engine.data.series.channels import has_numbers, is_number
from engine.data.series.time_parts import find_time_parts
from engine.data.series.times import find_time_column
from engine.errors import DataError
from engine.files.sanitize import plain

_TARGET_NAMES = ("target", "y", "value", "ot")
_LIKELY_NAMES = ("sales", "demand", "load", "close", "adj close", "price")
"""Names of columns that are forecast more often than those beside them."""


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

    @property
    def channels(self) -> tuple[str, ...]:
        """All columns of numbers, targets first."""
        return (*self.targets, *self.inputs)

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns that rows to predict from have."""
        return (*self.series, *self.time_columns, *self.channels)

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
) -> Roles:
    """The columns that were named, and for those that were not, the likeliest.

    Without ``targets`` a column with a usual name is taken, else the last one of numbers that
    changes; without ``inputs`` all columns of numbers. Raises :class:`DataError` for a missing
    column.
    """
    told = Roles(time, tuple(targets), tuple(inputs), (), tuple(series))
    check_columns(table, told)
    _check_apart(told)
    time = time or find_time_column(table.drop_columns(list(series)))
    parts = find_time_parts(table, time, (*targets, *inputs, *series))
    taken = (time, *parts, *series)
    numeric = [
        name
        for name in table.column_names
        if name not in taken and has_numbers(table[name], decimal_mark_of(table))
    ]
    if not targets:
        if not numeric:
            raise DataError("The data has no column of numbers to forecast.")
        targets = [_likely_target(table, numeric)]
    targets = tuple(dict.fromkeys(targets))
    seen = [name for name in inputs or numeric if name not in targets]
    return replace(
        told,
        time=" ".join(parts) or time,
        targets=targets,
        inputs=tuple(name for name in dict.fromkeys(seen) if name not in series),
        parts=parts,
    )


def _check_apart(roles: Roles) -> None:
    """Raise :class:`DataError` for a column that is given two roles that exclude each other."""
    fields = {"time": (roles.time,), "targets": roles.targets, "inputs": roles.inputs}
    for field, names in fields.items():
        for name in names:
            if name in roles.series:
                raise DataError(
                    f"The column {plain(name, 60)!r} is in task.series and in task.{field}.",
                    "Take it out of one of them.",
                )


def _likely_target(table: pa.Table, numeric: Sequence[str]) -> str:
    """The column of numbers that is the likeliest to be forecast: one that changes."""
    changing = [name for name in numeric if pc.count_distinct(table[name]).as_py() > 1] or numeric
    usual = [name for name in changing if name.strip().lower() in _TARGET_NAMES]
    likely = [name for name in changing if name.strip().lower() in _LIKELY_NAMES]
    typed = [name for name in changing if is_number(table[name].type)]
    return (usual or likely or typed or changing)[-1]


def check_columns(table: pa.Table, roles: Roles) -> None:
    """Raise :class:`DataError` for a column of ``roles`` that the table lacks."""
    times = (roles.time,) if roles.time in table.column_names else roles.time_columns
    fields = {
        "series": roles.series, "time": times, "targets": roles.targets, "inputs": roles.inputs,
    }  # fmt: skip
    for field, names in fields.items():
        for name in names:
            if name not in table.column_names:
                known = ", ".join(plain(column, 40) for column in table.column_names[:20])
                raise DataError(
                    f"The data has no column {plain(name, 60)!r} (task.{field}).",
                    f"It has {known}.",
                )


def unused_columns(table: pa.Table, roles: Roles) -> list[str]:
    """Columns without a role, each with its type."""
    used = set(roles.asked)
    return [f"{name} ({table[name].type})" for name in table.column_names if name not in used]
