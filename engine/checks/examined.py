"""The data that is checked, and a doubt about it before rows have names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.column_roles import ColumnRoles
from engine.data.on_disk import Rows
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.tables.row_hashes import Hashes, row_hashes
from engine.data.tables.schema import Column

Places = NDArray[np.int64]
Remedy = Literal["drop rows", "drop column", "drop duplicates", "move duplicates"]
HELD_OUT = (VALIDATION, TEST)


@dataclass(frozen=True)
class Examined:
    """The rows of each split as a task reads them."""

    splits: Mapping[str, pa.Table]
    roles: ColumnRoles

    @property
    def train(self) -> pa.Table:
        """The training rows."""
        return self.splits[TRAIN]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a table that are inputs."""
        inputs = {*self.roles.inputs}
        return tuple(column for column in self.roles.columns if column.name in inputs)

    @cached_property
    def hashes(self) -> Mapping[str, Hashes]:
        """By split that has all compared columns, a hash of these for each row."""
        names = list(self.compared)
        return {
            split: row_hashes(table.select(names))
            for split, table in self.splits.items()
            if {*names} <= {*table.column_names}
        }

    @cached_property
    def different(self) -> int:
        """The number of different training rows: duplicates have the same identifier."""
        return len(np.unique(self.hashes[TRAIN]))

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns in which duplicate rows are equal."""
        roles = self.roles
        return (*roles.inputs, roles.target) if roles.target else roles.inputs


@dataclass(frozen=True)
class Doubt:
    """Something that was found; its rows are places in the tables of their splits."""

    kind: str
    why: str
    column: str = ""
    rows: Mapping[str, Places] = field(default_factory=dict)
    """By split, the rows concerned, the worst first."""
    remedies: tuple[Remedy, ...] = ()
    remarks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By split, a few words on each of its rows."""
    twins: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict)
    """By split, the row that each of its rows resembles."""

    @property
    def count(self) -> int:
        """The number of rows concerned."""
        return sum(map(len, self.rows.values()))


@dataclass(frozen=True)
class Limit:
    """A check that was not made, or in a part of the rows only."""

    why: str


Check = Callable[[Examined], Iterator[Doubt | Limit]]


def some_rows(table: pa.Table, most: int) -> tuple[pa.Table, Places]:
    """Return at most ``most`` rows, evenly spread, and their places."""
    if table.num_rows <= most:
        return table, np.arange(table.num_rows)
    places = np.linspace(0, table.num_rows - 1, most).astype(np.int64)
    return Rows(table).take(places), places
