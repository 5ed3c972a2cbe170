"""A conversation as text, by the chat template of a tokenizer."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.chat.template_dates import with_date
from engine.text.chat.templates import ROLES
from engine.text.chat.turns import (
    ASSISTANT,
    DEVELOPER,
    SYSTEM,
    USER,
    Turn,
    with_calls_as_text,
    with_text_calls,
)

_MARKED = re.compile(r"\{%-?\s*generation\s*-?%\}")
"""The block in which some templates put what an assistant wrote."""
_NO_TEXT = re.compile(r"""\bcontent(["']\])?\s+is\s+(not\s+)?none\b""", re.IGNORECASE)
"""The question by which some templates tell an answer that only calls tools."""
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
    variables: Mapping[str, Any] = MappingProxyType({}),
) -> Conversation:
    """A conversation in the tokenizer's template; with ``ask``, up to the assistant's next turn.

    ``date`` is the day of the call for templates that write it, and ``variables`` are values for
    others, such as ``enable_thinking``. Raises :class:`Refused` where the
    template refuses the conversation.
    """
    try:
        template = _template(tokenizer, tools, date)
        marked = not ask and _MARKED.search(template) is not None
        render = partial(
            render_jinja_template,
            tools=list(tools) or None,
            chat_template=template,
            return_assistant_tokens_mask=marked,
            add_generation_prompt=ask,
            **{**tokenizer.special_tokens_map, **variables},
        )
        made: Any = _by(render, [_written(turn, template) for turn in turns])
    except Exception as error:  # whatever a template that came with a model raises
        begin = plain(turns[0]["content"], 60) if turns else ""
        own = isinstance(error, TemplateError | TypeError | ValueError)
        why = plain(error) if own else f"{type(error).__name__}: {plain(error)}"
        raise Refused(begin, why) from error
    texts, answers = made
    return Conversation(texts[0], answers[0] if marked else ())


def _by(render: Callable[[list[list[Turn]]], Any], turns: list[Turn]) -> Any:
    """Render a conversation; a template that joins arguments to texts gets them as JSON."""
    try:
        return render([turns])
    except TypeError:
        if not any("tool_calls" in turn for turn in turns):
            raise
        return render([[with_text_calls(turn) for turn in turns]])


def _template(tokenizer: Any, tools: Sequence[Any], date: str) -> str:
    """Return the template, of several by name the one for the ``tools``, with the day fixed."""
    if not tokenizer.chat_template:
        return ROLES.text
    return with_date(tokenizer.get_chat_template(None, list(tools) or None), date)


def _written(turn: Turn, template: str) -> Turn:
    """A turn in the words that the template knows."""
    if "tool_calls" not in template:
        turn = with_calls_as_text(turn)
    if turn.get("tool_calls") and not turn["content"] and _NO_TEXT.search(template):
        turn = {**turn, "content": None}
    if turn["role"] == DEVELOPER and DEVELOPER not in template:
        turn = {**turn, "role": SYSTEM}
    return dict(turn)


def tried(tokenizer: Any, *roles: str, ask: bool = False) -> str:
    """Return a conversation of short turns in the template, as :func:`rendered` does.

    It is behind a system prompt where the template demands one. Raises :class:`Refused`.
    """
    turns = [{"role": role, "content": _ANSWER} for role in roles]
    try:
        return rendered(tokenizer, turns, ask=ask).text
    except Refused as error:
        with contextlib.suppress(Refused):
            system = {"role": SYSTEM, "content": "-"}
            return rendered(tokenizer, [system, *turns], ask=ask).text
        raise error


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
    text = tried(tokenizer, USER, ASSISTANT)
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
