"""The columns of a data set as a task uses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.data.tables.schema import Column

TargetKind = Literal["", "classes", "numbers"]


@dataclass(frozen=True, slots=True)
class ColumnRoles:
    """Inputs and target of a task."""

    inputs: tuple[str, ...]
    target: str = ""
    """Column of the target; empty for none, or for several labels a row."""
    target_kind: TargetKind = ""
    texts: tuple[str, ...] = ()
    """Inputs that are texts."""
    image: str = ""
    columns: tuple[Column, ...] = ()
    """Columns of a table other than the target, those that are left out too."""
    ordered: bool = False
    """Whether rows are steps in time, which are neither repeated nor left out."""
