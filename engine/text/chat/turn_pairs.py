"""Objects in conversations that hold a question and its answer, as those of ms-swift and XTuner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SIDES = (("human", "assistant"), ("user", "assistant"), ("human", "gpt"), ("input", "output"))
_SYSTEM = "system"
_TURN = ("role", "from", "content", "value")
"""Keys by which an object is one turn."""


def without_pairs(turns: Sequence[Any]) -> list[Any]:
    """Return a conversation with a turn for each side of the pairs in it."""
    return [one for turn in turns for one in _turns_of_pair(turn)]


def _turns_of_pair(turn: Any) -> Iterator[Any]:
    sides = _sides_of(turn)
    if sides is None:
        yield turn
    else:
        if str(turn.get(_SYSTEM) or "").strip():
            yield {"role": _SYSTEM, "content": turn[_SYSTEM]}
        yield from ({"role": role, "content": turn[side]} for side, role in zip(
            sides, ("user", "assistant"), strict=True
        ))  # fmt: skip


def _sides_of(turn: Any) -> tuple[str, str] | None:
    """Return the keys of both sides; ``None`` for an object that is one turn, or none."""
    if not isinstance(turn, Mapping) or any(turn.get(name) is not None for name in _TURN):
        return None
    return next((sides for sides in _SIDES if all(name in turn for name in sides)), None)
