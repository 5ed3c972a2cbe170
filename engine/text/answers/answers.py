"""Answers as data sets write them: texts with the character where they begin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from engine.data.written_value import written_value
from engine.text.answers.text_units import UNITS

Answer = tuple[str, int]
"""Its text and the character of the context where it begins."""

NO_POSITION = -1
_FARTHEST = 2**31 - 1
"""Beyond any text."""
_TEXTS = ("text", "answer", "answer_text")
_STARTS = ("answer_start", "start")


@dataclass(frozen=True, slots=True)
class Placement:
    """An answer in its context, and what was done to find it."""

    answer: Answer
    moved: int = 0
    """Characters from its given position to the one taken."""
    guessed: bool = False
    """Whether it has no position and stands at several."""


def answers_of(value: Any, context: str) -> list[Answer] | None:
    """The answers in a cell; none for a question without an answer.

    ``value`` is ``{"text": [...], "answer_start": [...]}`` as on the hub, a list of such pairs, the
    same written as text, or plain text. An answer that is not at its given position is searched
    for. ``None`` if no answer can be found in the context.
    """
    placed = placements_of(value, context)
    found = [one.answer for one in placed if one is not None]
    return None if placed and not found else found


def placements_of(value: Any, context: str) -> list[Placement | None]:
    """Return the place of each answer in a cell; ``None`` for one that is not in the context."""
    return [_placed(text, start, context) for text, start in given_answers(value)]


def given_answers(value: Any) -> list[Answer]:
    """Return the answers in a cell as they are given, those without a position at −1."""
    if isinstance(value, str):
        written = written_value(value)
        known = (isinstance(written, dict) and _key(written, _TEXTS)) or _are_answers(written)
        return given_answers(written) if known else [(value, NO_POSITION)] if value else []
    if isinstance(value, Sequence):
        return [pair for item in value for pair in given_answers(item)]
    if not isinstance(value, dict):
        return [] if _is_missing(value) else [(_text(value), NO_POSITION)]
    name = _key(value, _TEXTS)
    if not name:
        return [("", NO_POSITION)]  # an answer in an unknown form, found nowhere
    texts, starts = (_listed(value.get(key)) for key in (name, _key(value, _STARTS)))
    starts += [None] * (len(texts) - len(starts))
    return [
        (_text(text), position_of(start))
        for text, start in zip(texts, starts, strict=False)
        if not _is_missing(text)
    ]


def _key(value: dict[str, Any], names: Sequence[str]) -> str:
    return next((name for name in names if name in value), "")


def _are_answers(value: Any) -> bool:
    """Return whether a list written as text is one of answers, not an answer in brackets."""
    return isinstance(value, list) and all(
        isinstance(item, str) or (isinstance(item, dict) and _key(item, _TEXTS)) for item in value
    )


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str) and isinstance(written := written_value(value), list):
        value = written
    if isinstance(value, list):
        return list(value)
    return [] if value is None else [value]


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or value != value


def _text(value: Any) -> str:
    """Return an answer as text; tables hold those that are all numbers as numbers."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def position_of(value: Any) -> int:
    """Return a position, or −1 for anything else."""
    try:
        return max(min(int(float(value)), _FARTHEST), NO_POSITION)
    except (TypeError, ValueError, OverflowError):
        return NO_POSITION


def _placed(text: str, start: int, context: str) -> Placement | None:
    """Return the answer at its position, else at the nearest place in the context."""
    bare = text.strip()
    if not bare:
        return None
    if start >= 0 and context.startswith(text, start):
        return Placement((text, start))
    places = _places(bare, context)
    if not places:
        return None
    if start < 0:
        whole = [one for one in places if _is_whole(context, *one)] or places
        return Placement(whole[0], guessed=len(whole) > 1)
    counted = {unit.characters(context, start) for unit in UNITS}
    likely = [one for one in places if one[1] in counted] or places
    nearest = min(likely, key=lambda one: abs(one[1] - start))
    return Placement(nearest, moved=abs(nearest[1] - start))


def _places(text: str, context: str) -> list[Answer]:
    """Return where a text stands in a context, else where it does with other blanks in it."""
    words = [re.escape(word) for word in text.split()]
    for pattern in (re.escape(text), r"\s+".join(words)):
        # Looking ahead, matches may overlap.
        found = re.finditer(f"(?=({pattern}))", context)
        if places := [(match[1], match.start()) for match in found]:
            return places
    return []


def _is_whole(context: str, answer: str, place: int) -> bool:
    """Return whether no word is cut at either end."""
    end = place + len(answer)
    around = context[max(0, place - 1) : place], context[end : end + 1]
    return not any(character.isalnum() for character in around)


def references_of(table: pa.Table, context: str, answers: str) -> list[list[Answer]]:
    """The answers of each row; nothing where there is no such column."""
    if answers not in table.column_names:
        return [[] for _ in range(table.num_rows)]
    return [
        answers_of(value, text) or []
        for value, text in zip(table[answers].to_pylist(), table[context].to_pylist(), strict=True)
    ]
