"""Conversations as lists of texts, of which the user has the first and the assistant the second."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from engine.data.raw import RawData
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.chat.turns import ASSISTANT, USER
from engine.text.columns import by_name, has_texts, is_flat_list

_NAMES = ("conversations", "conversation", "messages", "dialogue", "dialog", "turns")
_ALONE = ("data",)
"""The name of UltraChat, which says little: only where no other column has texts."""


def with_sides(raw: RawData) -> RawData:
    """Return conversations with turns, where each is a list of texts, as in LIMA and UltraChat.

    Other data stays as it is: most of its lists have two texts or more in them.
    """
    name = by_name(raw.train, _NAMES if has_texts(raw.train) else (*_NAMES, *_ALONE))
    if name is None or not _holds_talks(raw.train, name):
        return raw
    splits = {split: _with_turns(table, name) for split, table in raw.splits.items()}
    rows = sum(table.num_rows for table in splits.values())
    why = "texts in lists are taken in turn from the user, who begins, and the assistant"
    note = Note(why, plain(name, 40), "conversations", rows, kind="converted")
    return raw.with_splits(splits, note)


def _holds_talks(table: pa.Table, name: str) -> bool:
    if not is_flat_list(table, name) or not pa.types.is_string(table[name].type.value_type):
        return False
    sizes = pc.list_value_length(table[name]).drop_null()
    return len(sizes) > 0 and 2 * pc.sum(pc.greater_equal(sizes, 2)).as_py() > len(sizes)


def _with_turns(table: pa.Table, name: str) -> pa.Table:
    if name not in table.column_names:
        return table
    sides = (USER, ASSISTANT)
    talks = [
        None if texts is None else [
            {"role": sides[place % 2], "content": text} for place, text in enumerate(texts)
        ]
        for texts in table[name].to_pylist()
    ]  # fmt: skip
    turn = pa.struct([("role", pa.string()), ("content", pa.string())])
    column = pa.array(talks, pa.list_(turn))
    return table.set_column(table.column_names.index(name), name, column)
