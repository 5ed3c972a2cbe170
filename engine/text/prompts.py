"""Prompts, written from a row's columns in the same way for training and for prediction."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import TemplateError
from typing_extensions import override

from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.bpe import CHAT_TEMPLATE
from engine.text.turns import (
    ASSISTANT,
    Turn,
    is_learned,
    records_of,
    texts_within,
    turns_of,
    with_calls_as_text,
    with_system,
)

Row = Mapping[str, Any]
"""The values of a row by their roles: prompt, completion, messages, input, system …"""

_BLANKS = " \t"
_CLOCK = re.compile(r"""\bstrftime_now\(\s*(?P<mark>["'])(?P<form>[^"'\\]*)(?P=mark)\s*\)""")
"""The call by which chat templates of transformers write the time."""


@dataclass(frozen=True)
class Prompt:
    """A prompt without the blanks at its end, and these, with which the answer begins."""

    text: str
    blanks: str


@dataclass(frozen=True)
class Marked:
    """A whole text, and the spans in it that are learned."""

    text: str
    spans: Sequence[tuple[int, int]]


class Prompts(ABC):
    """One way to write prompts and the answers behind them."""

    @abstractmethod
    def prompt(self, row: Row) -> Prompt:
        """Return a row's prompt; raises :class:`DataError`."""

    @abstractmethod
    def marked(self, row: Row) -> Marked:
        """Return a row's prompt with its answers; raises :class:`DataError`."""


@dataclass(frozen=True)
class PlainPrompts(Prompts):
    """Prompts of texts that are joined by line ends."""

    end: str
    """The mark of the end, behind each completion."""
    separator: str
    """Text between a prompt and its completion where the prompt does not end in a blank."""

    @override
    def prompt(self, row: Row) -> Prompt:
        return cut(prompt_text(row, self.separator))

    @override
    def marked(self, row: Row) -> Marked:
        text = prompt_text(row, self.separator)
        whole = text + _text(row["completion"])
        return Marked(whole + self.end, [(len(cut(text).text), len(whole))])


@dataclass(frozen=True)
class ChatPrompts(Prompts):
    """Conversations in the tokenizer's chat template."""

    tokenizer: Any
    date: str = ""
    """The day for templates that write it, as ``2026-11-28``; empty for that of the call."""

    @override
    def prompt(self, row: Row) -> Prompt:
        if "messages" in row:
            turns = turns_of(row["messages"])
            turns = turns[:-1] if len(turns) > 1 and turns[-1]["role"] == ASSISTANT else turns
        else:
            turns = turns_of(row.get("prompt"))
        return cut(self._chat(with_system(turns, row.get("system")), row, ask=True))

    @override
    def marked(self, row: Row) -> Marked:
        turns, given = _turns(row)
        text = self._chat(turns, row)
        places = [place for place, turn in enumerate(turns) if is_learned(turn)]
        spans = [self._span(turns, place, text, row) for place in places if place >= given]
        return Marked(text, spans)

    def _span(self, turns: Sequence[Turn], place: int, text: str, row: Row) -> tuple[int, int]:
        """The answer that is turn number ``place``, with the blanks before it."""
        before = self._chat(turns[:place], row, ask=True) if place else ""
        until = self._chat(turns[: place + 1], row)
        if not (until.startswith(before) and text.startswith(until.rstrip())):
            raise DataError(
                "The chat template of this model rewrites earlier turns, so that answers "
                "cannot be told apart.",
                "Set task.completions_only to false, or choose another model.",
            )
        return len(cut(before).text), len(until)

    def _chat(self, turns: Sequence[Turn], row: Row, ask: bool = False) -> str:
        return chat(self.tokenizer, turns, records_of(row.get("tools")), ask, self.date)


def chat(
    tokenizer: Any,
    turns: Sequence[Turn],
    tools: Sequence[Any] = (),
    ask: bool = False,
    date: str = "",
) -> str:
    """A conversation as text; with ``ask``, up to the assistant's next turn.

    ``date`` is the day of the call for templates that write it.
    """
    if "tool_calls" not in str(tokenizer.chat_template):
        turns = [with_calls_as_text(turn) for turn in turns]
    try:
        text: str = tokenizer.apply_chat_template(
            [dict(turn) for turn in turns], chat_template=_template(tokenizer, date),
            tokenize=False, add_generation_prompt=ask, tools=list(tools) or None,
        )  # fmt: skip
    except TemplateError as error:
        begin = plain(turns[0]["content"], 60) if turns else ""
        raise DataError(
            f"The chat template of this model refuses the conversation {begin!r}: {plain(error)}.",
            "Change these rows, or choose another model.",
        ) from error
    return text


def _template(tokenizer: Any, date: str) -> str | None:
    """Return the template to use in place of the tokenizer's own, with the day as a text in it.

    transformers hands no function to a template but its own clock.
    """
    if not tokenizer.chat_template:
        return CHAT_TEMPLATE
    if not date or not isinstance(tokenizer.chat_template, str):
        return None
    day = datetime.fromisoformat(date)
    return _CLOCK.sub(lambda call: repr(day.strftime(call["form"])), tokenizer.chat_template)


def names_date(tokenizer: Any) -> bool:
    """Whether the chat template writes the day on which it is used."""
    template = tokenizer.chat_template
    return isinstance(template, str) and _CLOCK.search(template) is not None


def names_tools(tokenizer: Any) -> bool:
    """Whether the chat template has a place for tools."""
    return "tools" in str(tokenizer.chat_template)


def cut(text: str) -> Prompt:
    """Leave the blanks at the end of a prompt to the answer.

    Tokenizers join a blank with the word behind it. A prompt that kept it would end in a token that
    is never followed by a word in any other text.
    """
    short = text.rstrip(_BLANKS)
    return Prompt(short, text[len(short) :])


def prompt_text(row: Row, separator: str) -> str:
    """The texts of a prompt with a line each, up to where the completion begins."""
    parts = [
        _text(row.get("system")), *texts_within(row.get("history")),
        _text(row.get("prompt")), _text(row.get("input")),
    ]  # fmt: skip
    text = "\n".join(part for part in parts if part.strip())
    return text if text[-1:].isspace() else text + separator


def separator_of(rows: Iterable[Row]) -> str:
    """Return what most often stands between a prompt and its completion.

    It is whatever blanks the prompts end in, nothing where the completions begin with a blank, and
    a line end where neither side has one. A prompt that is typed without its last blank gets it
    back from here.
    """
    found = Counter(_gap(prompt_text(row, ""), _text(row["completion"])) for row in rows)
    return found.most_common(1)[0][0] if found else "\n"


def _gap(prompt: str, completion: str) -> str:
    blanks = prompt[len(prompt.rstrip()) :]
    return blanks or ("" if completion[:1].isspace() else "\n")


def chat_lines(row: Row) -> str:
    """A conversation as text, for tokenizers that are not trained yet."""
    turns, _ = _turns(row)
    return "\n".join(f"<|{turn['role']}|>\n{with_calls_as_text(turn)['content']}" for turn in turns)


def _turns(row: Row) -> tuple[list[Turn], int]:
    """All turns of a row, and the number of those that are only given."""
    if "messages" in row:
        return with_system(turns_of(row["messages"]), row.get("system")), 0
    asked, answers = turns_of(row["prompt"]), turns_of(row["completion"], ASSISTANT)
    if answers[: len(asked)] == asked:  # the whole conversation, with the prompt in it
        answers = answers[len(asked) :]
    given = with_system(asked, row.get("system"))
    return [*given, *answers], len(given)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
