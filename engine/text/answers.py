"""Answers as data sets write them: texts with the character where they begin."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

Answer = tuple[str, int]
"""Its text and the character of the context where it begins."""


def answers_of(value: Any, context: str) -> list[Answer] | None:
    """The answers in a cell; none for a question without an answer.

    ``value`` is ``{"text": [...], "answer_start": [...]}`` as on the hub, a list of such pairs, or
    plain text. An answer that is not at its given position is searched for. ``None`` if no answer
    can be found in the context.
    """
    given = _pairs(value)
    found = [_placed(text, start, context) for text, start in given]
    placed = [answer for answer in found if answer is not None]
    return None if given and not placed else placed


def _pairs(value: Any) -> list[Answer]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [(value, -1)]
    if isinstance(value, list):
        return [pair for item in value for pair in _pairs(item)]
    texts, starts = value.get("text") or [], value.get("answer_start")
    texts = [texts] if isinstance(texts, str) else texts
    starts = [starts] if isinstance(starts, int) else starts or [-1] * len(texts)
    return [(text, int(start)) for text, start in zip(texts, starts, strict=False) if text]


def _placed(text: str, start: int, context: str) -> Answer | None:
    if start >= 0 and context[start : start + len(text)] == text:
        return text, start
    found = context.find(text.strip())
    return (text.strip(), found) if found >= 0 and text.strip() else None


def references_of(table: pa.Table, context: str, answers: str) -> list[list[Answer]]:
    """The answers of each row; nothing where there is no such column."""
    if answers not in table.column_names:
        return [[] for _ in range(table.num_rows)]
    return [
        answers_of(value, text) or []
        for value, text in zip(table[answers].to_pylist(), table[context].to_pylist(), strict=True)
    ]
