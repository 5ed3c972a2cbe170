"""Texts of whole conversations, in which a mark stands before what each side says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_HUMAN, _ASSISTANT, _TOOL = "Human", "Assistant", "tool"
_MARKS = (
    re.compile(rf"(?:\A\s*|\n\n)({_HUMAN}|{_ASSISTANT}):"),
    re.compile(rf"### ?({_HUMAN}|{_ASSISTANT}):"),
    re.compile(r"(?:\A\s*|\n\n+)(USER|ASSISTANT|FUNCTION RESPONSE):"),
)
"""Marks as in Anthropic's data, in those of OpenAssistant for language models, and in Glaive's."""
_SIDES = {"USER": _HUMAN, "ASSISTANT": _ASSISTANT, "FUNCTION RESPONSE": _TOOL}
_END = "<|endoftext|>"
"""The mark behind Glaive's answers."""


def transcribed(text: str) -> list[dict[str, str]] | None:
    """Return the turns of a transcript, each with ``from`` and ``value``, ``None`` for others.

    A transcript begins with the mark of a human and has one of the assistant. A last mark of the
    assistant without words behind it asks for an answer, and is no turn.
    """
    for pattern in _MARKS:
        before, *parts = pattern.split(text)
        sides, words = [_SIDES.get(side, side) for side in parts[::2]], parts[1::2]
        if before.strip() or sides[:1] != [_HUMAN] or _ASSISTANT not in sides:
            continue
        turns = [
            {"from": side, "value": _said(side, words)}
            for side, words in zip(sides, words, strict=True)
        ]
        return turns[:-1] if turns[-1] == {"from": _ASSISTANT, "value": ""} else turns
    return None


def _said(side: str, words: str) -> str:
    words = words.strip()
    return words.removesuffix(_END).rstrip() if side == _ASSISTANT else words


def without_mark_blanks(answer: Any, prompt: Any) -> Any:
    """Return an answer without the blanks that follow the mark at the end of a transcript."""
    asked = isinstance(prompt, str) and isinstance(answer, str) and transcribed(prompt)
    return answer.strip() if asked else answer


def are_transcripts(texts: Sequence[str]) -> bool:
    """Return whether most of some texts are transcripts."""
    return 2 * sum(transcribed(text) is not None for text in texts) > len(texts)
