"""Results of lm-eval as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tui.format.numbers import number


def evals_table(record: Mapping[str, Any] | None) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows: a row a metric, the base model's value beside the run's."""
    tasks = (record or {}).get("tasks") or {}
    rows = [row for name, found in tasks.items() for row in _rows(name, found)]
    return ["task", "metric", "value", "base model", "evaluated"], rows


def _rows(task: str, found: Mapping[str, Any]) -> Iterator[list[str]]:
    base = found.get("base") or {}
    for metric, entry in (found.get("run") or {}).items():
        yield [task, metric, _value(entry), _value(base.get(metric)), _setting(found)]


def _value(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "–"
    error = entry.get("error")
    return number(entry.get("value")) + (f" ± {number(error)}" if error else "")


def _setting(found: Mapping[str, Any]) -> str:
    """Return how the task was put to the model, and when."""
    parts = [str(found.get("time", ""))[:10]]
    if found.get("shots") is not None:
        parts.append(f"{found['shots']} examples")
    if found.get("limit") is not None:
        parts.append(f"first {found['limit']} rows")
    if found.get("chat"):
        parts.append("chat template")
    return ", ".join(filter(None, parts))
