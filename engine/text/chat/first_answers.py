"""Answers that begin a conversation: nothing asks for them, so no prompt says where they begin."""

from __future__ import annotations

from typing import Any

from engine.text.chat.conversation import tried
from engine.text.chat.turns import USER, Turn


def begin_of_first(tokenizer: Any, text: str, turn: Turn) -> int | None:
    """Return where the answer of the first ``turn`` begins in a rendered ``text``.

    It is behind the header by which the chat template asks for answers elsewhere, else at the words
    of the answer; ``None`` where the text has neither. Raises :class:`DataError` where the template
    refuses a short conversation.
    """
    header, words = _header(tokenizer), str(turn["content"]).strip()
    if header.strip() and (place := text.find(header)) >= 0:
        return place + len(header)
    place = text.find(words) if words else -1
    return None if place < 0 else place


def _header(tokenizer: Any) -> str:
    """Return what the template writes behind a question to ask for its answer."""
    said, asked = tried(tokenizer, USER), tried(tokenizer, USER, ask=True)
    return asked.removeprefix(said) if asked.startswith(said) else ""
