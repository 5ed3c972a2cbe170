"""Events of a host, of which only those that a screen can show are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import TypeAdapter

from engine.files import safe_json
from engine.runs.events import KINDS, Event

_LATEST = 1e11
"""The latest time of an event, in seconds since 1970: a calendar must have it."""
_EVENTS: Mapping[str, TypeAdapter[Event]] = {
    name: TypeAdapter(kind) for name, kind in KINDS.items()
}


def checked_events(text: str) -> tuple[str, int]:
    """Return the lines of events, written anew, and how many were left out."""
    # Not splitlines(): a string in JSON may have line separators of Unicode as they are.
    lines = [line for line in text.split("\n") if line.strip()]
    valid = [clean + "\n" for line in lines if (clean := checked_event(line)) is not None]
    return "".join(valid), len(lines) - len(valid)


def checked_event(line: str) -> str | None:
    """Return an event's line, written anew; ``None`` where a value has another type."""
    try:
        record = safe_json.loads(line)
        kind = record["event"]
        values = {name: value for name, value in record.items() if name != "event"}
        event = _EVENTS[kind].validate_python(values)
        if not 0 <= event.time <= _LATEST or not all(map(_is_small, values.values())):
            return None
        return json.dumps(record, allow_nan=False, separators=(",", ":"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_small(value: object) -> bool:
    """Return whether a value, if it is an integer, is one that a curve can show."""
    return not isinstance(value, int) or abs(value) < 1 << 62
