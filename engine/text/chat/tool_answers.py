"""Questions whose answers are calls of tools in a column, as those of xLAM, read as turns."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from engine.data.on_disk import in_windows
from engine.data.raw import RawData
from engine.data.readers.turns import written
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.chat.tools import is_call
from engine.text.chat.turns import ASSISTANT, USER
from engine.text.columns import by_name

_QUESTIONS = ("query", "question", "prompt", "instruction", "user")
_CALLS = ("answers", "tool_calls", "function_calls", "calls")
_TOOLS = ("tools", "functions")
_LOOKED_AT = 100


def with_called_turns(raw: RawData) -> RawData:
    """Return conversations of a question and its calls, where the data has such columns."""
    question, calls = by_name(raw.train, _QUESTIONS), by_name(raw.train, _CALLS)
    if not question or not calls or not by_name(raw.train, _TOOLS):
        return raw
    first = [value for value in raw.train[calls][:_LOOKED_AT].to_pylist() if value]
    if not first or not all(is_call(written(value)) for value in first):
        return raw
    splits = {split: _conversations(table, question, calls) for split, table in raw.splits.items()}
    why = f"{plain(calls, 40)} has calls of tools, which answer {plain(question, 40)}"
    rows = sum(table.num_rows for table in splits.values())
    note = Note(why, plain(calls, 40), "conversations", rows, "task.messages", kind="converted")
    return raw.with_splits(splits, note)


def _conversations(table: pa.Table, question: str, calls: str) -> pa.Table:
    if not {question, calls} <= set(table.column_names):
        return table
    talks = [
        _talk(row[question], row[calls])
        for piece in in_windows(table.select([question, calls]))
        for row in piece.to_pylist()
    ]
    rest = table.drop_columns([question, calls])
    return rest.append_column("messages", pa.array(talks, pa.string()))


def _talk(question: Any, calls: Any) -> str | None:
    """Return the JSON of two turns; the second is empty where there is no call."""
    if question is None:
        return None
    text = written(calls)
    called = {"tool_calls": json.loads(text)} if is_call(text) else {}
    turns = [
        {"role": USER, "content": str(question)},
        {"role": ASSISTANT, "content": "", **called},
    ]
    return json.dumps(turns, ensure_ascii=False)
