"""Names of rows, and doubts without the rows that were looked at and marked as right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.checks.examined import Doubt, Places
from engine.data.row_choice import Trace

T = TypeVar("T")


class Named:
    """The names of rows by their places."""

    def __init__(self, trace: Trace, numbers: Mapping[str, NDArray[np.int64]]) -> None:
        self._trace = trace
        self._numbers = numbers

    def names(self, split: str, places: Places) -> list[str]:
        """Return the names of rows; none where their numbers were lost on the way."""
        return [str(name) for name in self._trace.names(self._numbers[split][places])]


def unmarked(doubt: Doubt, named: Named, marked: Sequence[str]) -> Doubt | None:
    """Return a doubt without the rows that are marked; ``None`` where no other row is left."""
    if not marked or not doubt.rows:
        return doubt
    kept = {split: _others(split, places, named, marked) for split, places in doubt.rows.items()}
    left = {split: places[kept[split]] for split, places in doubt.rows.items() if kept[split].any()}
    if not left:
        return None
    return replace(
        doubt,
        rows=left,
        remarks={split: _those(doubt.remarks[split], kept[split])
                 for split in left if split in doubt.remarks},
        twins={split: _those(doubt.twins[split], kept[split])
               for split in left if split in doubt.twins},
    )  # fmt: skip


def _others(split: str, places: Places, named: Named, marked: Sequence[str]) -> NDArray[np.bool_]:
    """Return which rows are not among the marked ones; all where their names were lost."""
    names = named.names(split, places)
    if len(names) != len(places):
        return np.ones(len(places), np.bool_)
    known = set(marked)
    return np.array([name not in known for name in names], np.bool_)


def _those(values: Sequence[T], kept: NDArray[np.bool_]) -> list[T]:
    """Return the kept ones of values that stand for the first rows."""
    return [value for value, own in zip(values, kept.tolist(), strict=False) if own]
