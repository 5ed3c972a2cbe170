"""Answers that are whole conversations, with the prompt in them."""

from __future__ import annotations

from collections.abc import Sequence

from engine.text.chat.turns import ASSISTANT, DEVELOPER, SYSTEM, Turn

_INSTRUCTIONS = (SYSTEM, DEVELOPER)


def turns_with_prompt(prompt: Sequence[Turn], answer: Sequence[Turn]) -> int:
    """Return how many turns an ``answer`` has up to the end of the ``prompt`` that it repeats.

    It is 0 where the prompt is not in it, or it continues the prompt with a turn of the
    assistant. Instructions may be on either side alone, and outer blanks do not count.
    """
    asked = _said([turn for turn in prompt if turn["role"] not in _INSTRUCTIONS] or prompt)
    said = _said(answer)
    if not asked or not said or (said[0][0] == ASSISTANT != asked[0][0]):
        return 0
    ends = range(len(asked), len(said) + 1)
    return next((end for end in ends if said[end - len(asked) : end] == asked), 0)


def with_instructions_of(prompt: Sequence[Turn], turns: Sequence[Turn]) -> list[Turn]:
    """Return ``turns`` behind the instructions of ``prompt``, unless they have their own."""
    if turns and turns[0]["role"] in _INSTRUCTIONS:
        return list(turns)
    return [*(turn for turn in prompt if turn["role"] in _INSTRUCTIONS), *turns]


def _said(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"].strip()) for turn in turns]
