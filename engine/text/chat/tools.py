"""Tools and their calls, in the forms in which people keep them, as chat templates expect them.

Both are objects or their JSON, bare (``{"name": …}``) or under ``function``, as OpenAI writes them.
Anthropic has the parameters of a tool under ``input_schema``, Gemini lists of tools under
``functionDeclarations``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.data.written_value import written_value
from engine.text.written_lists import listed

_DECLARED = ("functionDeclarations", "function_declarations")
_SCHEMA = "input_schema"


def tools_of(value: Any) -> list[Any]:
    """Return the tools that a model may call."""
    return [_wrapped(_as_openai(tool)) for record in _records(value) for tool in _declared(record)]


def calls_in(turn: Mapping[str, Any]) -> list[Any]:
    """Return the calls of a turn, also of OpenAI's older key for one call."""
    calls = _records(turn.get("tool_calls"))
    if turn.get("function_call") is not None:
        calls += _records(turn["function_call"])
    return [with_arguments(_wrapped(call)) for call in calls]


def is_call(content: Any) -> bool:
    """Return whether a whole text is the JSON of calls, as a turn of ShareGPT may be."""
    calls = _records(content) if isinstance(content, str) else []
    return bool(calls) and all(
        isinstance(call, Mapping) and "name" in function_of(call) for call in calls
    )


def function_of(call: Any) -> Any:
    """Return the name and the arguments of a call."""
    return call.get("function", call) if isinstance(call, Mapping) else call


def name_of(call: Any) -> str:
    """Return the name of the tool that a call is for; empty where it has none."""
    function = function_of(call)
    return str(function.get("name", "")) if isinstance(function, Mapping) else ""


def with_text_arguments(call: Any) -> Any:
    """Return a call whose arguments are JSON, as OpenAI writes them."""
    function = function_of(call)
    if not isinstance(function, Mapping) or isinstance(function.get("arguments"), str):
        return call
    arguments = json.dumps(function.get("arguments", {}), ensure_ascii=False)
    return {**call, "function": {**function, "arguments": arguments}}


def without_nulls(value: Any) -> Any:
    """Return a value without the keys that are missing in it; Arrow gives each object all keys."""
    if isinstance(value, Mapping):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list | tuple) else value


def _records(value: Any) -> list[Any]:
    """Return a list of objects, each of which, as the whole, may be written as JSON."""
    records = listed(value)
    if records is None:
        value = _parsed(value)
        records = [value] if isinstance(value, Mapping) else []
    parsed = [_parsed(record) for record in records]
    return [
        without_nulls(record if one is None else one)
        for record, one in zip(records, parsed, strict=True)
    ]


def _parsed(value: Any) -> Any:
    """Return what a text is the notation of, ``None`` for others; other values as they are."""
    return written_value(value) if isinstance(value, str) else value


def _declared(record: Any) -> list[Any]:
    """Return the tools of a record that declares several, else the record alone."""
    if not isinstance(record, Mapping):
        return [record]
    lists = (record[name] for name in _DECLARED if isinstance(record.get(name), list))
    return next(lists, [record])


def _as_openai(tool: Any) -> Any:
    """Return a tool with its parameters where OpenAI has them."""
    if not isinstance(tool, Mapping) or _SCHEMA not in tool:
        return tool
    names = {_SCHEMA: "parameters"}
    return {names.get(name, name): value for name, value in tool.items()}


def _wrapped(record: Any) -> Any:
    if not isinstance(record, Mapping) or "function" in record or "name" not in record:
        return record
    return {"type": "function", "function": record}


def with_arguments(call: Any) -> Any:
    """Return a call whose arguments are an object, and not its JSON."""
    if not isinstance(call, Mapping):
        return call
    if "function" in call:
        return {**call, "function": with_arguments(call["function"])}
    arguments = _parsed(call.get("arguments"))
    return {**call, "arguments": arguments} if isinstance(arguments, dict) else call
