"""Contents of turns in parts, as several services write them.

A part is a text, a thought, a call of a tool, or the result of one. Anthropic names its kind under
``type``; Gemini has the kind as a key, with an object under it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.files.sanitize import plain
from engine.text.chat.tools import with_arguments, without_nulls

_CALLS = ("tool_use", "functionCall", "function_call")
_RESULTS = ("tool_result", "functionResponse", "function_response")
_ARGUMENTS = ("input", "args", "arguments")
_TEXTS = ("text", "content", "refusal")
_TYPES_OF_TEXT = (None, "text", "input_text", "output_text", "refusal")
_THOUGHT = "thinking"


@dataclass(frozen=True)
class Parts:
    """The parts of a content by their kinds."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    """As OpenAI writes them."""
    results: list[dict[str, Any]] = field(default_factory=list)
    """The turns of tools."""
    others: list[str] = field(default_factory=list)
    """Kinds of parts that cannot be read, such as images."""

    @property
    def text(self) -> str:
        """The texts, a line each."""
        return "\n".join(self.texts)


def parts_in(content: Any) -> Parts:
    """Return the parts of a content: a list of them, one, or a text."""
    found = Parts()
    for part in content if isinstance(content, list | tuple) else [content]:
        if isinstance(part, Mapping):
            _add(without_nulls(part), found)
        elif part is not None:
            # JSON's spelling of truth values, as in columns of texts.
            found.texts.append(str(part).lower() if isinstance(part, bool) else str(part))
    return found


def is_result(content: Any) -> bool:
    """Return whether a content is what a tool returned, as objects of its own, and no parts."""
    objects = content if isinstance(content, list | tuple) else [content]
    own = all(isinstance(one, Mapping) and one.get("type") is None for one in objects)
    return own and bool(parts_in(content).others)


def as_json(result: Any) -> str:
    """Return objects that a tool returned as their JSON, without keys that are missing."""
    return json.dumps(without_nulls(result), ensure_ascii=False)


def _add(part: Mapping[str, Any], found: Parts) -> None:
    """Add a part to those of its kind."""
    if (call := _of_kind(part, _CALLS)) is not None:
        found.calls.append(_call(call))
    elif (result := _of_kind(part, _RESULTS)) is not None:
        turn, others = _result(result)
        found.results.append(turn)
        found.others.extend(others)
    elif part.get("type") == _THOUGHT:
        found.thoughts.append(str(part.get(_THOUGHT, "")))
    elif (text := _text(part)) is None:
        found.others.append(plain(part.get("type") or next(iter(part), "unknown"), 40))
    else:
        (found.thoughts if part.get("thought") is True else found.texts).append(text)


def _text(part: Mapping[str, Any]) -> str | None:
    """Return the text of a part, ``None`` for pictures and their like."""
    values = (part[name] for name in _TEXTS if name in part)
    value = next(values, None)
    if value is None or isinstance(value, Mapping | list):
        return None
    # Tables give every part a text, those of pictures too.
    return str(value) if value or part.get("type") in _TYPES_OF_TEXT else None


def _of_kind(part: Mapping[str, Any], kinds: Sequence[str]) -> Mapping[str, Any] | None:
    """Return what a part of one of some kinds holds, ``None`` for other parts."""
    if part.get("type") in kinds:
        return part
    inner = [part[kind] for kind in kinds if isinstance(part.get(kind), Mapping)]
    return inner[0] if inner else None


def _call(part: Mapping[str, Any]) -> dict[str, Any]:
    arguments: Any = next((part[name] for name in _ARGUMENTS if name in part), {})
    function = with_arguments({"name": part.get("name"), "arguments": arguments})
    call = {"type": "function", "function": function}
    return {"id": part["id"], **call} if part.get("id") else call


def _result(part: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the turn of a tool, and what could not be read of its result."""
    named = {"tool_call_id": part.get("tool_use_id"), "name": part.get("name")}
    answer = part.get("content", part.get("response", ""))
    if isinstance(answer, Mapping):  # of Gemini, any object
        answer = as_json(answer)
    parts = parts_in(answer)
    given = {name: value for name, value in named.items() if value}
    return {"role": "tool", "content": parts.text, **given}, parts.others
