"""Rows with several chosen or rejected answers, each of which is compared with the others' side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from engine.data.on_disk import Rows
from engine.data.raw import TRAIN, RawData
from engine.errors import DataError
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.columns import is_list

_SIDES = ("chosen", "rejected")
_LOOKED_AT = 100
"""Rows that show whether answers stand in lists."""


def lists_of_answers(table: pa.Table, columns: dict[str, str]) -> list[str]:
    """Return the columns of answers that hold a list of them in each row."""
    names = [columns[side] for side in _SIDES if side in columns]
    return [name for name in names if name in table.column_names and _are_several(table, name)]


def one_by_one(raw: RawData, columns: dict[str, str], single: bool) -> RawData:
    """Return a row for each pair of a chosen and a rejected answer.

    With ``single``, answers are not compared in pairs: each stands in one row alone, with a
    ``label``. A row without an answer on one side stays, for its fault.
    """
    splits, notes = {}, []
    for split, table in raw.splits.items():
        several = lists_of_answers(raw.train, columns)
        sides = {side: _answers(table, columns[side], several) for side in _SIDES}
        made = _labelled(table, columns, sides) if single else _paired(table, columns, sides)
        splits[split] = made
        what = counted(made.num_rows, "single answer" if single else "pair")
        what += "" if single else " of a chosen and a rejected answer"
        why = f"{split}: {counted(table.num_rows, 'row')} became {what}"
        notes.append(Note(why, ", ".join(several), "lists of answers", table.num_rows,
                          kind="converted"))  # fmt: skip
    if not splits[TRAIN].num_rows:
        raise DataError("No training row has a chosen and a rejected answer.")
    return raw.with_splits(splits, *notes)


def _are_several(table: pa.Table, name: str) -> bool:
    if not is_list(table, name):
        return False
    values = [value for value in table[name][:_LOOKED_AT].to_pylist() if value]
    return bool(values) and all(isinstance(one, str | list) for value in values for one in value)


def _answers(table: pa.Table, name: str, several: Sequence[str]) -> list[list[Any]]:
    values = table[name].to_pylist() if name in table.column_names else [None] * table.num_rows
    return [(value or [None]) if name in several else [value] for value in values]


def _paired(
    table: pa.Table, columns: dict[str, str], sides: dict[str, list[list[Any]]]
) -> pa.Table:
    pairs = [
        (row, one, other)
        for row, (good, bad) in enumerate(zip(sides["chosen"], sides["rejected"], strict=True))
        for one in good
        for other in bad
    ]
    taken = Rows(table).take(np.array([row for row, _, _ in pairs], np.int64))
    taken = _with_column(taken, columns["chosen"], [one for _, one, _ in pairs])
    return _with_column(taken, columns["rejected"], [other for _, _, other in pairs])


def _labelled(
    table: pa.Table, columns: dict[str, str], sides: dict[str, list[list[Any]]]
) -> pa.Table:
    singles = [
        (row, answer, side == "chosen")
        for row in range(table.num_rows)
        for side in _SIDES
        for answer in sides[side][row]
    ]
    taken = Rows(table).take(np.array([row for row, _, _ in singles], np.int64))
    taken = taken.drop_columns([columns[side] for side in _SIDES])
    taken = _with_column(taken, "completion", [answer for _, answer, _ in singles])
    return _with_column(taken, "label", [good for _, _, good in singles])


def _with_column(table: pa.Table, name: str, values: Sequence[Any]) -> pa.Table:
    column = pa.array(values)
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)
