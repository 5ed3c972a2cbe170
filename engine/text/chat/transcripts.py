"""Texts of whole conversations, in which a mark stands before what each side says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_HUMAN, _ASSISTANT = "Human", "Assistant"
_MARKS = (
    re.compile(rf"(?:\A\s*|\n\n)({_HUMAN}|{_ASSISTANT}):"),
    re.compile(rf"### ?({_HUMAN}|{_ASSISTANT}):"),
)
"""Marks as in Anthropic's data, and as in those of OpenAssistant for language models."""


def transcribed(text: str) -> list[dict[str, str]] | None:
    """Return the turns of a transcript, each with ``from`` and ``value``, ``None`` for others.

    A transcript begins with the mark of a human and has one of the assistant. A last mark of the
    assistant without words behind it asks for an answer, and is no turn.
    """
    for pattern in _MARKS:
        before, *parts = pattern.split(text)
        sides, words = parts[::2], parts[1::2]
        if before.strip() or sides[:1] != [_HUMAN] or _ASSISTANT not in sides:
            continue
        turns = [
            {"from": side, "value": said.strip()} for side, said in zip(sides, words, strict=True)
        ]
        return turns[:-1] if turns[-1] == {"from": _ASSISTANT, "value": ""} else turns
    return None


def without_mark_blanks(answer: Any, prompt: Any) -> Any:
    """Return an answer without the blanks that follow the mark at the end of a transcript."""
    asked = isinstance(prompt, str) and isinstance(answer, str) and transcribed(prompt)
    return answer.strip() if asked else answer


def are_transcripts(texts: Sequence[str]) -> bool:
    """Return whether most of some texts are transcripts."""
    return 2 * sum(transcribed(text) is not None for text in texts) > len(texts)
