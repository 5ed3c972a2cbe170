"""Rows of several forms in one table, as files of several sources have them, read in one form.

A column that has nothing in such rows takes what another one has for it, if no row has both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.config.tasks.causal_lm import CausalLmConfig
from engine.data.on_disk import Rows
from engine.data.raw import RawData
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.chat.chat_prompts import pair_turns
from engine.text.chat.roles import Roles, by_role, roles_in

_MOST_FORMS = 8


def in_one_form(raw: RawData, section: CausalLmConfig) -> RawData:
    """Return the data with its rows in the form of the first that :func:`roles_in` finds."""
    roles = roles_in(raw.train, section)
    if roles.form != "pairs" and (roles.form != "messages" or len(roles.columns) > 1):
        return raw
    for _ in range(_MOST_FORMS):
        other = _other(raw.train, roles, section)
        if other is None:
            break
        raw = _converted(raw, roles, other)
    return raw


def _other(table: pa.Table, roles: Roles, section: CausalLmConfig) -> Roles | None:
    """Return the roles of the columns of rows that lack one of ``roles``, if they are others."""
    lacking = _lacking(table, roles.columns)
    if not lacking.any():
        return None
    rows = Rows(table).take(np.flatnonzero(lacking))
    rows = rows.select([n for n in rows.column_names if rows[n].null_count < rows.num_rows])
    try:
        other = roles_in(rows, section)
    except DataError:  # of rows in which nothing can be learned; they are counted later
        return None
    if other.form not in ("pairs", "messages") or (other.form, roles.form) == ("messages", "pairs"):
        return None
    new = [name for name in other.columns if name not in roles.columns]
    old = [name for name in roles.columns if name not in other.columns]
    apart = all(not _both(table, one, more) for one in old for more in new)
    return other if new and old and apart else None


def _converted(raw: RawData, roles: Roles, other: Roles) -> RawData:
    splits: dict[str, pa.Table] = {}
    notes = []
    for split, table in raw.splits.items():
        if not set(other.columns) <= set(table.column_names):
            splits[split] = table
            continue
        table = _with_columns(table, roles)
        rows = _lacking(table, roles.columns) & ~_lacking(table, other.columns)
        convert = _as_turns if roles.form == "messages" else _as_pairs
        splits[split] = convert(table, np.flatnonzero(rows), roles, other)
        if count := int(rows.sum()):
            names = " and ".join(plain(name, 40) for name in other.columns)
            main = " and ".join(plain(name, 40) for name in roles.columns)
            why = f"{split}: {counted(count, 'row')} without {main} read by {names}"
            notes.append(Note(why, names, other.form, count, "data.path", kind="converted"))
    return raw.with_splits(splits, *notes)


def _with_columns(table: pa.Table, roles: Roles) -> pa.Table:
    """A split of which all rows may have another form, with the columns of the usual one."""
    for name in roles.columns:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
    return table


def _as_turns(table: pa.Table, rows: NDArray[np.int64], roles: Roles, other: Roles) -> pa.Table:
    """The rows with conversations as JSON, those at ``rows`` made of other columns."""
    name = roles.columns[0]
    values = [_written(value) for value in table[name].to_pylist()]
    found = by_role(Rows(table).take(rows), other.by_name).to_pylist()
    for place, row in zip(rows.tolist(), found, strict=True):
        values[place] = _talk(row, other)
    return _replaced(table, name, values)


def _talk(row: Mapping[str, Any], roles: Roles) -> str | None:
    if roles.form == "messages" and len(roles.columns) == 1:
        return _written(row["messages"])
    return json.dumps(pair_turns(row), ensure_ascii=False)


def _as_pairs(table: pa.Table, rows: NDArray[np.int64], roles: Roles, other: Roles) -> pa.Table:
    """The rows with prompt, completion and further columns of a prompt from the other ones."""
    for role, name in other.by_name.items():
        usual = roles.by_name.get(role, name)
        if usual != name:
            values = table[usual].to_pylist()
            for place, value in zip(rows.tolist(), table[name].take(rows).to_pylist(), strict=True):
                values[place] = value
            table = _replaced(table, usual, [None if v is None else str(v) for v in values])
    return table


def _replaced(table: pa.Table, name: str, values: list[str | None]) -> pa.Table:
    column = pa.array(values, pa.string())
    return table.set_column(table.column_names.index(name), name, column)


def _written(value: Any) -> str | None:
    return (
        value
        if value is None or isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, default=str)
    )


def _lacking(table: pa.Table, names: list[str]) -> NDArray[np.bool_]:
    """Return whether a row has nothing in one of the columns."""
    lacking = np.zeros(table.num_rows, np.bool_)
    for name in names:
        if name not in table.column_names:
            return np.ones(table.num_rows, np.bool_)
        if table[name].null_count:
            lacking |= table[name].is_null().to_numpy()
    return lacking


def _both(table: pa.Table, one: str, other: str) -> bool:
    return bool(pc.any(pc.and_(table[one].is_valid(), table[other].is_valid())).as_py())
