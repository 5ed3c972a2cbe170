"""Notes on conversations that are not learned as they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Kind, Note
from engine.text.chat.turns import (
    ASSISTANT,
    Turn,
    ends_unanswered,
    fault_in,
    has_learned_parts,
    teaches_others,
    turns_of,
    weighs_otherwise,
)

_ON_TURNS: Sequence[tuple[Callable[[Sequence[Turn]], bool], str, Kind]] = (
    (
        ends_unanswered,
        "without an answer at the end: the turns behind the last answer are not used",
        "dropped",
    ),
    (
        weighs_otherwise,
        "with an answer whose weight is neither 0 nor 1: it is learned like those of weight 1",
        "doubt",
    ),
    (
        has_learned_parts,
        "with an answer of which only parts are to be learned (train_detail): it is learned whole",
        "doubt",
    ),
    (
        teaches_others,
        "with a flag to learn a turn of another role: only answers are learned",
        "doubt",
    ),
)
"""Questions about the turns of conversations, and notes on those of which they are true."""


def notes_on_turns(conversations: Iterable[Any], column: str, split: str) -> Iterator[Note]:
    """Yield notes on the conversations in a ``column`` of a split."""
    found: list[list[int]] = [[] for _ in _ON_TURNS]
    for number, value in enumerate(conversations):
        turns = turns_of(value, ASSISTANT) if fault_in(value) is None else []
        for rows, (is_so, _, _) in zip(found, _ON_TURNS, strict=True):
            if is_so(turns):
                rows.append(number)
    for rows, (_, why, kind) in zip(found, _ON_TURNS, strict=True):
        if rows:
            yield Note(
                f"{split}: {counted(len(rows), 'conversation')} (the first is row "
                f"{rows[0] + 1:,}) {why}",
                column=plain(column, 40),
                rows=len(rows),
                kind=kind,
            )
