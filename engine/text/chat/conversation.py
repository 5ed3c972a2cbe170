"""A conversation as text, by the chat template of a tokenizer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.chat.templates import ROLES
from engine.text.chat.turns import ASSISTANT, DEVELOPER, SYSTEM, USER, Turn, with_calls_as_text

_CLOCK = re.compile(r"""\bstrftime_now\(\s*(?P<mark>["'])(?P<form>[^"'\\]*)(?P=mark)\s*\)""")
"""The call by which chat templates of transformers write the time."""
_MARKED = re.compile(r"\{%-?\s*generation\s*-?%\}")
"""The block in which some templates put what an assistant wrote."""
_ANSWER = "0"


class Refused(DataError):
    """A conversation that a chat template refuses; ``reason`` is the same for all such."""

    def __init__(self, begin: str, reason: str) -> None:
        super().__init__(
            f"The chat template of this model refuses the conversation {begin!r}: {reason}.",
            "Change these rows, or choose another model.",
        )
        self.reason = reason


@dataclass(frozen=True)
class Conversation:
    """A conversation in the form of a template."""

    text: str
    answers: Sequence[tuple[int, int]] = ()
    """The beginnings and ends of answers, from templates that mark them; else empty."""


def rendered(
    tokenizer: Any,
    turns: Sequence[Turn],
    tools: Sequence[Any] = (),
    ask: bool = False,
    date: str = "",
) -> Conversation:
    """A conversation in the tokenizer's template; with ``ask``, up to the assistant's next turn.

    ``date`` is the day of the call for templates that write it. Raises :class:`Refused` where the
    template refuses the conversation.
    """
    try:
        template = _template(tokenizer, tools, date)
        marked = not ask and _MARKED.search(template) is not None
        made: Any = render_jinja_template(
            [[_written(turn, template) for turn in turns]],
            tools=list(tools) or None,
            chat_template=template,
            return_assistant_tokens_mask=marked,
            add_generation_prompt=ask,
            **tokenizer.special_tokens_map,
        )
    except Exception as error:  # whatever a template that came with a model raises
        begin = plain(turns[0]["content"], 60) if turns else ""
        own = isinstance(error, TemplateError | TypeError | ValueError)
        why = plain(error) if own else f"{type(error).__name__}: {plain(error)}"
        raise Refused(begin, why) from error
    texts, answers = made
    return Conversation(texts[0], answers[0] if marked else ())


def _template(tokenizer: Any, tools: Sequence[Any], date: str) -> str:
    """Return the template, with the day as a text in it.

    transformers hands no function to a template but its own clock.
    """
    if not tokenizer.chat_template:
        return ROLES.text
    template: str = tokenizer.get_chat_template(None, list(tools) or None)
    if not date:
        return template
    day = datetime.fromisoformat(date)
    return _CLOCK.sub(lambda call: repr(day.strftime(call["form"])), template)


def _written(turn: Turn, template: str) -> Turn:
    """A turn in the words that the template knows."""
    if "tool_calls" not in template:
        turn = with_calls_as_text(turn)
    if turn["role"] == DEVELOPER and DEVELOPER not in template:
        turn = {**turn, "role": SYSTEM}
    return dict(turn)


def names_date(tokenizer: Any) -> bool:
    """Whether the chat template, or one of several by name, writes the day on which it is used."""
    given = tokenizer.chat_template or ""
    templates = [given] if isinstance(given, str) else given.values()
    return any(_CLOCK.search(template) for template in templates)


def names_tools(tokenizer: Any) -> bool:
    """Whether the chat template has a place for tools."""
    return "tools" in str(tokenizer.chat_template)


def ends_of(tokenizer: Any, chat: bool) -> list[int]:
    """The tokens that end a text: the tokenizer's own, and in a ``chat`` the template's."""
    ends = [tokenizer.eos_token_id, end_of_turn(tokenizer) if chat else None]
    return list(dict.fromkeys(end for end in ends if end is not None))


def end_of_turn(tokenizer: Any) -> int | None:
    """The token by which the chat template ends an answer, if it is one token.

    Raises :class:`DataError` where the template refuses a short conversation or leaves out its
    answer.
    """
    turns = [{"role": USER, "content": _ANSWER}, {"role": ASSISTANT, "content": _ANSWER}]
    text = rendered(tokenizer, turns).text
    if _ANSWER not in text:
        raise DataError(
            "The chat template of this model leaves out answers that are texts, as those of models "
            "for images may.",
            "Set task.chat_template to another one.",
        )
    behind = text[text.rindex(_ANSWER) + len(_ANSWER) :].lstrip()
    ids = tokenizer(behind, add_special_tokens=False)["input_ids"] if behind else []
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    return ids[0] if ids and ids[0] in special else None
