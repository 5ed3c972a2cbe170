"""Conversations as people keep them, read as turns that each have a role and a text.

A conversation is a list of turns or its JSON, or a transcript. Keys of a turn are ``role`` and
``content``, or ``from`` and ``value`` (or ``text``, ``parts``); a content is a text or a list of
parts; calls of tools are parts, objects or their JSON, or the whole text of a ``function_call`` or
``tool_call``. An object may also have a question and its answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.data.written_value import written_value
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.chat.parts import Parts, as_json, is_result, parts_in
from engine.text.chat.tools import (
    calls_in,
    function_of,
    is_call,
    with_text_arguments,
    without_nulls,
)
from engine.text.chat.transcripts import transcribed
from engine.text.chat.turn_pairs import without_pairs
from engine.text.written_lists import listed

Turn = dict[str, Any]

ASSISTANT, USER, SYSTEM, DEVELOPER = "assistant", "user", "system", "developer"
TOOL = "tool"
_CALLS = ("function_call", "tool_call")
"""Roles of turns whose text is a call; that of ms-swift is second."""
_ROLES = {
    "user": USER, "human": USER, "prompter": USER, "assistant": ASSISTANT, "gpt": ASSISTANT,
    "chatgpt": ASSISTANT, "bot": ASSISTANT, "model": ASSISTANT, "ai": ASSISTANT,
    **dict.fromkeys(_CALLS, ASSISTANT), "system": SYSTEM, "developer": DEVELOPER, TOOL: TOOL,
    "function": TOOL, "observation": TOOL, "ipython": TOOL, "tool_response": TOOL,
}  # fmt: skip
_CONTENTS = ("content", "value", "text", "parts")
"""Keys of the text of a turn: of OpenAI and ShareGPT, and those that Gemini has."""
_READ = {"role", "from", *_CONTENTS, "tool_calls", "function_call"}
_LEARNED = ("weight", "train", "training", "loss")
"""Keys by which an answer is not learned: of OpenAI, Mistral, Axolotl and ms-swift."""
_OF_CALLS = {"role", "content", "tool_calls", *_LEARNED}
"""Keys of a turn that has nothing but calls."""
_IN_PARTS = "train_detail"
"""Axolotl's key for the parts of an answer that are learned."""
_OFF = {"0", "0.0", "false", "no", "off"}
_ON = {"1", "1.0", "true", "yes", "on"}


def turns_of(value: Any, role: str = USER) -> list[Turn]:
    """Return the turns of a conversation; a mere text is one turn of ``role``.

    Raises :class:`DataError` for what :func:`fault_in` finds.
    """
    fault = fault_in(value)
    if fault is not None:
        raise DataError(
            f"A conversation cannot be read: {fault}.",
            "Give a text, or a list of turns with a role and a content.",
        )
    turns = _conversation(value)
    if turns is None:
        return [{"role": role, "content": str(value)}]
    return _with_joined_calls(one for turn in turns for one in _turns(turn))


def fault_in(value: Any) -> str | None:
    """The reason why a value is no conversation, or ``None``."""
    turns = _conversation(value)
    if turns is None:
        return None if value is not None and str(value).strip() else "the conversation is empty"
    if not turns:
        return "the conversation is empty"
    if all(isinstance(turn, str) for turn in turns):
        return "there is a list of texts in place of one text, or of turns with roles"
    return next((fault for turn in turns if (fault := _fault(turn))), None)


def fault_of_answers(value: Any, role: str = USER) -> str | None:
    """Return the fault of a conversation to learn from, such as one without an assistant's turn."""
    if fault := fault_in(value):
        return fault
    answers = list(filter(is_learned, turns_of(value, role)))
    if not all(turn["content"].strip() or "tool_calls" in turn for turn in answers):
        return "an answer is empty"
    return None if answers else "there is no answer"


def without_last_question(turns: Sequence[Turn]) -> list[Turn]:
    """The turns up to the last answer: what follows it has no answer to learn."""
    answers = [place for place, turn in enumerate(turns) if turn["role"] == ASSISTANT]
    return list(turns[: answers[-1] + 1]) if answers else list(turns)


def ends_unanswered(turns: Sequence[Turn]) -> bool:
    """Return whether a conversation with an answer has turns behind the last one."""
    return len(without_last_question(turns)) < len(turns)


def is_learned(turn: Turn) -> bool:
    """Whether a turn is an answer to learn; others have a ``weight`` of 0, or are not to ``train``.

    Flags may be numbers, truth values, or these written as texts.
    """
    return turn["role"] == ASSISTANT and _flags(turn).isdisjoint(_OFF)


def weighs_otherwise(turns: Sequence[Turn]) -> bool:
    """Return whether an answer has a flag that is neither on nor off, such as a weight of 0.5."""
    answers = (turn for turn in turns if turn["role"] == ASSISTANT)
    return any(not _flags(turn) <= _OFF | _ON for turn in answers)


def has_learned_parts(turns: Sequence[Turn]) -> bool:
    """Return whether an answer says which of its parts are learned."""
    return any(turn.get(_IN_PARTS) for turn in turns if turn["role"] == ASSISTANT)


def teaches_others(turns: Sequence[Turn]) -> bool:
    """Return whether a turn that is no answer has a flag to be learned."""
    return any(_flags(turn) & _ON for turn in turns if turn["role"] != ASSISTANT)


def _flags(turn: Turn) -> set[str]:
    given = (turn.get(name) for name in _LEARNED)
    return {str(value).strip().lower() for value in given if value is not None}


def holds_turns(value: Any) -> bool:
    """Whether a value is an object, a list, or the JSON of a list of objects."""
    return _list_of(value) is not None


def with_system(turns: Sequence[Turn], system: Any) -> list[Turn]:
    """The turns behind one with the text ``system``, unless it is blank or they have their own."""
    text = system_text(system)
    if not text.strip() or (turns and turns[0]["role"] in (SYSTEM, DEVELOPER)):
        return list(turns)
    return [{"role": SYSTEM, "content": text}, *turns]


def system_text(system: Any) -> str:
    """Return the text of a system prompt: one, its parts, or an object that has them."""
    given = written_value(system) if isinstance(system, str) else system
    if isinstance(given, Mapping):
        given = _content(given)
    elif not (isinstance(given, list) and all(isinstance(part, Mapping) for part in given)):
        given = system
    return parts_in(given).text


def system_prompt(value: Any, beside: Any) -> str:
    """Return the system prompt of a conversation, else the one ``beside`` it."""
    turns = turns_of(value) if fault_in(value) is None else []
    if turns and turns[0]["role"] == SYSTEM:
        return str(turns[0]["content"])
    return system_text(beside)


def with_calls_as_text(turn: Turn) -> Turn:
    """A turn whose calls of tools stand in its text, for templates that do not write them."""
    calls = [
        f"<tool_call>\n{json.dumps(function_of(call), ensure_ascii=False)}\n</tool_call>"
        for call in turn.get("tool_calls", ())
    ]
    if not calls:
        return turn
    texts = [turn["content"], *calls] if turn["content"] else calls
    kept = {name: value for name, value in turn.items() if name != "tool_calls"}
    return {**kept, "content": "\n".join(texts)}


def with_text_calls(turn: Turn) -> Turn:
    """A turn whose calls of tools have arguments that are JSON, for templates that join them."""
    calls = [with_text_arguments(call) for call in turn.get("tool_calls", ())]
    return {**turn, "tool_calls": calls} if calls else turn


def texts_within(value: Any) -> list[str]:
    """All texts of earlier turns in any nesting: pairs, turns, a list, JSON, or one text."""
    parts = listed(value)
    if parts is not None:
        return [text for part in parts for text in texts_within(part)]
    if isinstance(value, Mapping):
        if _fault(value) is None:
            return [with_calls_as_text(turn)["content"] for turn in _turns(value)]
        return [text for part in value.values() for text in texts_within(part)]
    return [] if value is None else [str(value)]


def _conversation(value: Any) -> Sequence[Any] | None:
    """A list of turns, ``None`` for a text that is neither the JSON of one nor a transcript."""
    turns = _list_of(value)
    if turns is None:
        return transcribed(value) if isinstance(value, str) else None
    return without_pairs(turns)


def _list_of(value: Any) -> Sequence[Any] | None:
    """A list of turns, ``None`` for a text that is not the JSON of one."""
    if isinstance(value, Mapping):
        return [value]
    turns = listed(value)
    if isinstance(value, str) and not all(isinstance(turn, Mapping) for turn in turns or [None]):
        return None
    return turns


def _fault(turn: Any) -> str | None:
    if not isinstance(turn, Mapping) or (role := _role(turn)) is None:
        return _without_role(turn)
    if role not in _ROLES.values():
        return f"a turn has the unknown role {plain(role, 40)!r}"
    turn = _with_calls(turn)
    others = parts_in(_content(turn)).others
    if others:
        return f"a part of a turn is not text but {others[0]}"
    if calls_in(turn):
        return None
    if turn.keys().isdisjoint(_CONTENTS):
        return _without_role(turn)
    return "a turn is empty" if _content(turn) is None else None


def _without_role(turn: Any) -> str:
    """The fault of a turn without a role or a content, with the keys that it has instead."""
    fault = "a turn has no role or content"
    keys = list(turn) if isinstance(turn, Mapping) else []
    known = {"role", "from", *_CONTENTS}
    if not keys or known & {*keys}:
        return fault
    return f"{fault}, but {' and '.join(plain(key, 40) for key in keys[:3])}"


def _with_joined_calls(turns: Iterable[Turn]) -> list[Turn]:
    """The turns, with calls in turns of their own as a part of the answer before them."""
    joined: list[Turn] = []
    for turn in turns:
        last = joined[-1] if joined else {"role": USER}
        alike = last["role"] == ASSISTANT and _flags(last) == _flags(turn)
        if alike and turn.get("tool_calls") and not turn["content"] and turn.keys() <= _OF_CALLS:
            calls = [*last.get("tool_calls", ()), *turn["tool_calls"]]
            joined[-1] = {**last, "tool_calls": calls}
        else:
            joined.append(turn)
    return joined


def _turns(turn: Mapping[str, Any]) -> list[Turn]:
    """A turn without what is missing in it, behind those of the tools whose results it has.

    Arrow gives each turn the keys of all.
    """
    turn = _with_calls(turn)
    parts = parts_in(_content(turn))
    if parts.results and not parts.text.strip():
        return parts.results
    result = {"role": _role(turn), "content": parts.text, **_further(turn, parts)}
    calls = [*calls_in(turn), *parts.calls]
    return [*parts.results, {**result, "tool_calls": calls} if calls else result]


def _further(turn: Mapping[str, Any], parts: Parts) -> dict[str, Any]:
    """Return the keys of a turn besides role, content and calls, such as a weight and thoughts."""
    kept = {
        name: without_nulls(value)
        for name, value in turn.items()
        if name not in _READ and value is not None
    }
    thoughts = "\n".join(filter(None, parts.thoughts))
    return {"reasoning_content": thoughts, **kept} if thoughts else kept


def _with_calls(turn: Mapping[str, Any]) -> Mapping[str, Any]:
    """A turn whose text was a call of a tool, as ShareGPT's turns of ``function_call``."""
    name = str(turn.get("role") or turn.get("from")).lower()
    content = _content(turn)
    if name not in _CALLS or not is_call(content):
        return turn
    return {**turn, "content": "", "tool_calls": content}


def _role(turn: Any) -> str | None:
    if not isinstance(turn, Mapping):
        return None
    role = turn.get("role") or turn.get("from")
    return None if role is None else _ROLES.get(str(role).strip().lower(), str(role))


def _content(turn: Mapping[str, Any]) -> Any:
    content = next((turn[name] for name in _CONTENTS if turn.get(name) is not None), None)
    return as_json(content) if _role(turn) == TOOL and is_result(content) else content
