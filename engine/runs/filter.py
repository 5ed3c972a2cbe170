"""A filter of runs as users type it: parts with spaces between them, all of which must match.

digits              a word of the name, task, data, model, state, deciding metric, tags or note
task:image          a field that contains the text; ``state:``, ``tag:``, ``data:``, …
accuracy>=0.9       a metric of the run; ``metric`` is the one that decides
-tag:old            not matching
is:pinned
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from engine.errors import UserError
from engine.runs.events import PAUSED
from engine.runs.status import State
from engine.runs.summary import RunSummary

Test = Callable[[RunSummary], bool]

_TEXTS: dict[str, Callable[[RunSummary], str]] = {
    "name": lambda row: row.name,
    "id": lambda row: row.id,
    "host": lambda row: row.host,
    "task": lambda row: row.task,
    "data": lambda row: row.data,
    "model": lambda row: row.model,
    "tag": lambda row: " ".join(row.notes.tags),
    "note": lambda row: row.notes.note,
}
FIELDS = (*_TEXTS, "state", "is")
_NUMBERS: dict[str, Callable[[RunSummary], float | None]] = {
    "metric": lambda row: row.value,
    "seconds": lambda row: row.seconds,
}
_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne,
    ">": operator.gt, "<": operator.lt, "=": operator.eq,
}  # fmt: skip
_COMPARISON = re.compile(r"([^<>=!:]+)(>=|<=|!=|>|<|=)(.*)", re.DOTALL)


class FilterError(UserError):
    """A part of a filter cannot be parsed."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Tests that a run must pass."""

    tests: tuple[Test, ...] = ()
    metrics: tuple[str, ...] = ()
    """Names of metrics that are compared."""

    @classmethod
    def parse(cls, text: str) -> RunFilter:
        """Parse a filter; raises :class:`FilterError` with a short sentence."""
        parts = text.lower().split()
        return cls(tuple(map(_test, parts)), tuple(_compared(parts)))

    @classmethod
    def typed(cls, text: str) -> tuple[RunFilter, str]:
        """Parse a filter that is still being typed; invalid parts are left out and reported."""
        tests, problem = [], ""
        parts = text.lower().split()
        for part in parts:
            try:
                tests.append(_test(part))
            except FilterError as error:
                problem = problem or str(error)
        return cls(tuple(tests), tuple(_compared(parts))), problem

    def among(self, rows: Iterable[RunSummary]) -> list[RunSummary]:
        """Return the runs that pass."""
        found = list(rows)
        for test in self.tests:
            found = [row for row in found if test(row)]
        return found

    def unknown(self, rows: Iterable[RunSummary]) -> str:
        """Return a sentence on a metric that none of these runs has, with what they have."""
        known = sorted({name for row in rows for name in row.metrics} | {*_NUMBERS})
        lower = {name.lower(): name for name in known}
        for name in self.metrics:
            if name not in lower:
                near = difflib.get_close_matches(name, lower, n=1)
                hint = (
                    f"did you mean {lower[near[0]]}?" if near else f"there are {', '.join(known)}."
                )
                return f"No run has a metric {name[:40]!r}; {hint}"
        return ""


def _compared(parts: Iterable[str]) -> Iterator[str]:
    """Yield the names on the left of comparisons."""
    for part in parts:
        if comparison := _COMPARISON.fullmatch(part.removeprefix("-")):
            yield comparison[1]


def _test(part: str) -> Test:
    if part.startswith("-") and len(part) > 1:
        test = _test(part[1:])
        return lambda row: not test(row)
    if comparison := _COMPARISON.fullmatch(part):
        return _comparison(comparison[1], comparison[2], comparison[3])
    field, colon, text = part.partition(":")
    if not colon:
        return lambda row: part in row.text
    if field == "state":
        return _state(text)
    if field == "is":
        return _is(text)
    if field not in _TEXTS:
        raise FilterError(f"No field is called {field[:40]!r}{_suggestion(field)}.")
    read = _TEXTS[field]
    return lambda row: text in read(row).lower()


def _comparison(name: str, relation: str, text: str) -> Test:
    """Return the test of a metric; runs without that number never pass."""
    try:
        bound = float(text)
    except ValueError:
        shown = f"{name[:40]}{relation}"
        raise FilterError(f"{shown} needs a number, as in {shown}0.9.") from None
    holds = _RELATIONS[relation]
    read = _NUMBERS.get(name) or partial(_metric, name)

    def test(row: RunSummary) -> bool:
        value = read(row)
        return value is not None and holds(value, bound)

    return test


def _metric(name: str, row: RunSummary) -> float | None:
    value = row.metrics.get(name)
    if value is not None:
        return value
    return next((value for key, value in row.metrics.items() if key.lower() == name), None)


def _state(text: str) -> Test:
    states = {state for state in (*State, PAUSED) if state.startswith(text)}
    if not states:
        known = ", ".join((*State, PAUSED))
        raise FilterError(f"No state is called {text[:40]!r}: {known}.")
    return lambda row: row.state in states or (row.paused and PAUSED in states)


def _is(text: str) -> Test:
    if not "pinned".startswith(text):
        raise FilterError("After is: there is pinned.")
    return lambda row: row.notes.pinned


def _suggestion(field: str) -> str:
    near = difflib.get_close_matches(field, FIELDS, n=1)
    return f"; did you mean {near[0]}:" if near else f"; there are {', '.join(FIELDS)}"
