"""The template of a conversation taken apart: the texts that it writes between the turns.

Templates are programs, but most of them write the same few texts before and behind each turn. These
are found by rendering a conversation of marks, and are right only if other conversations, rendered
with them, equal what the template makes of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import DataError, TrainingError
from engine.text.chat.prompts import Prompts
from engine.text.tokens.literals import special_tokens

_SYSTEM, _USER, _ANSWER, _AGAIN = "Ⓢsystem", "Ⓤuser", "Ⓐanswer", "Ⓥagain"
_PROBES = (["hello"], ["Why?", "So.", "And\n then?"], ["a", "b", "c", "d", "e"])
"""Conversations that the texts are tried on; the user begins."""
Render = Callable[[Sequence[str], str], str]
"""A conversation, begun by the user, and a system prompt as text."""


@dataclass(frozen=True)
class Between:
    """The texts around the turns of a conversation."""

    begin: str
    """Before the first message, where there is no system prompt."""
    before_system: str | None
    """None where the template takes no system prompt."""
    behind_system: str
    behind_user: str
    behind_answer: str
    ask: str
    """Behind the last message of the user."""

    def render(self, turns: Sequence[str], system: str) -> str:
        """Write a conversation with these texts."""
        text = f"{self.before_system}{system}{self.behind_system}" if system else self.begin
        for number, turn in enumerate(turns[:-1]):
            text += turn + (self.behind_answer if number % 2 else self.behind_user)
        return text + turns[-1] + self.ask


def rendering(prompts: Prompts) -> Render:
    """Return the function by which prompts are written in training."""

    def render(turns: Sequence[str], system: str) -> str:
        roles = ("user", "assistant")
        messages = [
            {"role": roles[number % 2], "content": turn} for number, turn in enumerate(turns)
        ]
        prompt = prompts.prompt({"messages": messages, "system": system})
        return prompt.text + prompt.blanks

    return render


def between_turns(render: Render) -> Between:
    """Take a template apart; raises :class:`TrainingError` where it does not write such texts."""
    turns = [_USER, _ANSWER, _AGAIN]
    begin, behind_user, behind_answer, ask = _pieces(render(turns, ""), turns)
    before_system, behind_system = None, ""
    with contextlib.suppress(DataError):  # of a template that refuses a system prompt
        text = render(turns, _SYSTEM)
        if not text.find(_SYSTEM) < text.find(_USER):
            raise _refusal("it writes the system prompt elsewhere than before the first turn")
        before_system, behind_system, *_ = _pieces(text, [_SYSTEM, *turns])
    found = Between(begin, before_system, behind_system, behind_user, behind_answer, ask)
    for probe in _PROBES:
        for system in ("", *(["Be kind."] if before_system is not None else [])):
            if found.render(probe, system) != render(probe, system):
                raise _refusal("it writes turns differently in different conversations")
    return found


def stop_tokens(tokenizer: Any, behind_answer: str, end: int | None) -> list[str]:
    """Return the tokens behind an answer, ``end`` the first of them, and the tokenizer's own end.

    Tokenizers name few of their special tokens; ``end`` may be one that they do not call special.
    """
    marks = [token for token in special_tokens(tokenizer) if token in behind_answer]
    first = [] if end is None else [str(tokenizer.convert_ids_to_tokens(end))]
    found = [*first, *sorted(marks, key=behind_answer.index), tokenizer.eos_token]
    return list(dict.fromkeys(found))


def _pieces(text: str, marks: Sequence[str]) -> list[str]:
    """Return the texts around marks, which must be there once each and in order."""
    pieces = []
    for mark in marks:
        if text.count(mark) != 1:
            raise _refusal("it repeats or leaves out turns")
        before, _, text = text.partition(mark)
        pieces.append(before)
    return [*pieces, text]


def _refusal(reason: str) -> TrainingError:
    return TrainingError(
        f"The chat template of this model cannot be written for ollama: {reason}.",
        "Export it for vllm or as gguf, which take the template as it is.",
    )
