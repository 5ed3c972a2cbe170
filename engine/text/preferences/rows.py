"""A row of preference data as a prompt and its answers, and what may be wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.data.readers.squad import truth_of
from engine.data.written_value import written_value
from engine.text.chat.prompts import Row
from engine.text.chat.repeated_prompts import turns_with_prompt, with_instructions_of
from engine.text.chat.template_variables import VARIABLES
from engine.text.chat.thoughts import thoughts_of
from engine.text.chat.transcripts import transcribed, without_mark_blanks
from engine.text.chat.turns import (
    ASSISTANT,
    USER,
    Turn,
    fault_in,
    fault_of_answers,
    holds_turns,
    turns_of,
    with_calls_as_text,
)

_WORDS = {
    **dict.fromkeys(("desirable", "chosen", "preferred", "accepted", "good", "like", "thumbs up",
                     "up", "positive", "y", "t", "1"), True),
    **dict.fromkeys(("undesirable", "rejected", "bad", "dislike", "thumbs down", "down",
                     "negative", "n", "f"), False),
}  # fmt: skip
"""Labels in words, beside those of truth."""
_FURTHER = ("system", "history", "tools", VARIABLES)
_OPENAI = "messages"
_HUMAN_ASSISTANT = "\n\nAssistant:"
"""The mark before an answer in texts of whole conversations, as Anthropic's."""


@dataclass(frozen=True)
class Compared:
    """A prompt with its answers, each as a row for :class:`~engine.text.chat.prompts.Prompts`."""

    prompt: Any
    """A text, or turns."""
    answers: Mapping[str, Any]
    """``chosen`` and ``rejected``, or ``completion``: a text each, or turns."""
    further: Mapping[str, Any]
    """System prompt, earlier turns, tools, and variables of the template."""

    def row(self, answer: Any) -> Row:
        """Return an answer behind the prompt."""
        return {"prompt": self.prompt, "completion": answer, **self.further}

    @property
    def asked(self) -> Row:
        """The prompt alone."""
        return {"prompt": self.prompt, **self.further}


def compared(row: Row, transcripts: bool = False) -> Compared:
    """Return a row by the roles of its columns as a prompt and answers.

    Without a prompt of its own, it is what both answers begin with. ``transcripts`` are read as
    turns where they are wanted, and are texts otherwise.
    """
    names = [name for name in ("chosen", "rejected", "completion") if name in row]
    answers = {name: _value(row[name], transcripts) for name in names}
    further = {name: row[name] for name in _FURTHER if name in row}
    if "prompt" in row:
        further = _tools_beside(row["prompt"]) | further
        prompt = _with_input(_value(row["prompt"], transcripts), row.get("input"))
        if transcripts:
            answers = {
                name: without_mark_blanks(answer, row["prompt"]) for name, answer in answers.items()
            }
        return _without_repetition(Compared(prompt, answers, further))
    if names == ["completion"]:
        return _whole(answers["completion"], further)
    if set(names) == {"chosen", "rejected"}:
        return _shared(answers, further)
    return Compared(_asked_of(next(iter(answers.values()), "")), {}, further)


def fault_of(row: Row, transcripts: bool = False) -> str | None:
    """Return why a row cannot be learned from, or ``None``."""
    names = ("prompt", "chosen", "rejected", "completion")
    values = {name: _value(row[name], transcripts) for name in names if name in row}
    for name, value in values.items():
        if _is_blank(value):
            return f"{name} is empty"
        if fault := fault_in(value):
            return f"{name}: {fault}"
    return _fault_of_answers(compared(row, transcripts)) or _fault_of_label(row)


def label_of(row: Row) -> bool | None:
    """Return whether an answer is desirable; ``None`` where the label says neither."""
    value = row["label"]
    written = " ".join(re.split(r"[\s_-]+", str(value).lower())).strip()
    if value is None or value != value or not written:
        return None
    if str(value).strip() in ("-1", "-1.0"):
        return False
    return _WORDS.get(written.removeprefix("+"), truth_of(value))


def _fault_of_label(row: Row) -> str | None:
    if "label" not in row or label_of(row) is not None:
        return None
    blank = row["label"] is None or not str(row["label"]).strip()
    return "the label is missing" if blank else "the label is neither true nor false"


def _fault_of_answers(given: Compared) -> str | None:
    for name, answer in given.answers.items():
        if _is_blank(answer):
            return f"{name} has no answer of its own"
        turns = turns_of(answer, ASSISTANT)
        if turns[-1]["role"] != ASSISTANT:
            return f"{name} ends with a turn of the {turns[-1]['role']}"
        if fault := fault_of_answers(answer, ASSISTANT):
            return f"{name}: {fault}"
    if not given.answers:
        return "there is no answer behind a prompt"
    if _is_blank(given.prompt):
        return "chosen and rejected do not begin with the same prompt"
    answers = list(given.answers.values())
    same = len(answers) > 1 and _plain(answers[0]) == _plain(answers[1])
    return "chosen and rejected are equal" if same else None


def _plain(answer: Any) -> list[tuple[str, str, str]]:
    turns = map(with_calls_as_text, turns_of(answer, ASSISTANT))
    return [
        (turn["role"], turn["content"].strip(), "\n".join(thoughts_of(turn)).strip())
        for turn in turns
    ]


def _is_blank(value: Any) -> bool:
    return value is None or (not str(value).strip() if isinstance(value, str) else not value)


def _value(value: Any, transcripts: bool) -> Any:
    """Return a text, or a conversation as turns; OpenAI writes it in an object with messages."""
    if _OPENAI in (inner := _object(value)):
        value = inner[_OPENAI]
    if value is None or not (holds_turns(value) or (transcripts and transcribed(str(value)))):
        return None if value is None else str(value)
    return turns_of(value) if fault_in(value) is None else value


def _tools_beside(value: Any) -> dict[str, Any]:
    """Return the tools that OpenAI writes in an object with messages."""
    inner = _object(value)
    return {"tools": inner["tools"]} if _OPENAI in inner and inner.get("tools") else {}


def _object(value: Any) -> Mapping[str, Any]:
    """Return an object, or the one that a text is the notation of; empty for other values."""
    content = written_value(value) if isinstance(value, str) else value
    return content if isinstance(content, Mapping) else {}


def _with_input(prompt: Any, text: Any) -> Any:
    """Return a prompt with the text that belongs to it behind it."""
    if text is None or not str(text).strip():
        return prompt
    if isinstance(prompt, list):
        return [*prompt, {"role": USER, "content": str(text)}]
    return f"{prompt}\n{text}"


def _without_repetition(given: Compared) -> Compared:
    """Return a prompt and answers, where these may be whole conversations that repeat it."""
    answers = list(given.answers.values())
    if fault_in(given.prompt) or not all(_are_turns(answer) for answer in answers):
        return given
    prompt = turns_of(given.prompt)
    counts = [turns_with_prompt(prompt, answer) for answer in answers]
    if not counts or not all(counts):
        return given
    count = counts[0]
    if len(answers) > 1:  # earlier answers that both have are a part of the prompt, as in TRL
        count = _same_turns(*answers)
        if count < max(counts):
            return replace(given, prompt=[])
    first = with_instructions_of(prompt, answers[0][:count])
    own = {name: answer[count:] for name, answer in given.answers.items()}
    return Compared(first, own, given.further)


def _are_turns(value: Any) -> bool:
    return isinstance(value, list) and fault_in(value) is None


def _whole(value: Any, further: Mapping[str, Any]) -> Compared:
    """Return a conversation as its last answer and what stands before it."""
    prompt = _asked_of(value)
    if not _are_turns(value) or len(prompt) == len(value):
        return Compared(prompt, {}, further)
    return Compared(prompt, {"completion": value[len(prompt) :]}, further)


def _shared(answers: Mapping[str, Any], further: Mapping[str, Any]) -> Compared:
    chosen, rejected = answers["chosen"], answers["rejected"]
    if isinstance(chosen, list) and isinstance(rejected, list):
        count = _same_turns(chosen, rejected)
        own: dict[str, Any] = {"chosen": chosen[count:], "rejected": rejected[count:]}
        return Compared(chosen[:count], own, further)
    if _are_turns(chosen) and isinstance(rejected, str):
        whole = _whole(chosen, further)  # the text takes the place of its last answer
        answer = {"chosen": whole.answers.get("completion"), "rejected": rejected}
        return replace(whole, answers=answer)
    count = _same_text(str(chosen), str(rejected))
    own = {"chosen": str(chosen)[count:], "rejected": str(rejected)[count:]}
    return Compared(str(chosen)[:count], own, further)


def _same_turns(one: list[Turn], other: list[Turn]) -> int:
    """Return the number of turns that both begin with, without an answer at the end."""
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    same = count == len(one) == len(other)
    return count - 1 if same else count


def _same_text(one: str, other: str) -> int:
    """Return the number of characters of the prompt that both begin with, up to a whole word."""
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    begin = one.rfind(_HUMAN_ASSISTANT, 0, count)
    if begin >= 0:
        return begin + len(_HUMAN_ASSISTANT)
    while count and not one[count - 1].isspace():
        count -= 1
    return count


def _asked_of(value: Any) -> Any:
    """Return the prompt of a whole conversation to continue: all before the last answer."""
    if isinstance(value, list):
        answered = len(value) > 1 and _are_turns(value) and value[-1]["role"] == ASSISTANT
        return value[:-1] if answered else value
    begin = str(value).rfind(_HUMAN_ASSISTANT)
    return str(value)[: begin + len(_HUMAN_ASSISTANT)] if begin >= 0 else value
