"""Conversations whose turns differ in shape, in one shape that a table can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def alike(values: list[Any]) -> list[Any]:
    """Return conversations in one shape, and other values as they are.

    A content that is a text becomes a list with this one part, and the arguments of a call become
    their JSON; both mean the same.
    """
    if not all(value is None or _is_conversation(value) for value in values):
        return values
    return [None if value is None else [_turn(turn) for turn in value] for value in values]


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(turn, Mapping) and "content" in turn for turn in value
    )


def _turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    content, calls = turn["content"], turn.get("tool_calls")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    result = {**turn, "content": content}
    return {**result, "tool_calls": list(map(_call, calls))} if isinstance(calls, list) else result


def _call(call: Any) -> Any:
    """A call of a tool, at whose arguments every other one looks different."""
    if not isinstance(call, Mapping):
        return call
    changed = dict(call)
    if "function" in call:
        changed["function"] = _call(call["function"])
    if isinstance(call.get("arguments"), Mapping):
        changed["arguments"] = json.dumps(call["arguments"], ensure_ascii=False)
    return changed
