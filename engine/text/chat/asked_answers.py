"""Answers behind prompts of which a chat template leaves a part out once they are answered.

Mistral's templates put the system prompt before the last message only if no answer follows it: a
finished conversation has none, though each of its answers was asked for with it.
"""

from __future__ import annotations

from engine.text.chat.turns import Turn


def answer_behind(before: str, until: str, asked: Turn, answer: Turn) -> str | None:
    """Return the prompt ``before`` with the answer that stands at the end of ``until``.

    The answer follows the words of the turn ``asked``, and what the prompt has behind these.
    ``None`` is returned where it is not found there, or what stands before it is more than a part
    of the prompt.
    """
    words, said = str(asked["content"]).strip(), str(answer["content"]).strip()
    if not words or words not in before:
        return None
    begin = words + before[before.rindex(words) + len(words) :]
    if begin == words and not said:
        return None
    place = until.rfind(begin)
    while place >= 0:
        known, written = until[: place + len(begin)], until[place + len(begin) :]
        if written.lstrip().startswith(said) and _is_without_a_part(known, before):
            return before + written
        place = until.rfind(begin, 0, place)
    return None


def _is_without_a_part(short: str, whole: str) -> bool:
    """Return whether a text is the ``whole`` without one part of it."""
    alike = _same(short, whole) + _same(short[::-1], whole[::-1])
    return len(short) < len(whole) and alike >= len(short)


def _same(one: str, other: str) -> int:
    """Return the number of characters that both texts begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
