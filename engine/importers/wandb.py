"""Offline runs of W&B: history and configuration of ``run-*.wandb``.

Numbers of fields are those of ``wandb_internal.proto`` (https://github.com/wandb/wandb). The reader
that wandb itself had in Python is gone since it writes these files with a program in Go.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.files import safe_json
from engine.files.sanitize import plain
from engine.importers.foreign_run import ForeignRun
from engine.importers.wandb_records import wandb_records
from engine.importers.wire import Value, WireError, double, fields, nested, signed, text

PROGRAM = "W&B"
_HISTORY, _CONFIG, _RUN = 2, 5, 17
_STEPS = ("train/global_step", "trainer/global_step", "global_step", "update")
"""Values that count updates: of transformers, Lightning, and this program."""
_INTERNAL = "_"
_BROKEN = "Records that are not of W&B, left out: {}."
_OTHERS = "Values that are not numbers (images, histograms, tables), left out: {}."
_UNCOUNTED = "Rows without a count of updates, at the count of the row before them: {}."


def read_wandb(path: Path) -> ForeignRun:
    """Read one run. Raises ``OSError``, and ``ValueError`` for a file of another kind."""
    run = ForeignRun(PROGRAM, path, path.stem.removeprefix("run-"))
    clock = _Clock(run)
    with path.open("rb") as file:
        for record in wandb_records(file, run.tally):
            try:
                _record(run, record, clock)
            except WireError:
                run.tally.add(_BROKEN)
    return run


class _Clock:
    """The step of each row: its count of updates, of those that count any, or W&B's own step.

    Of one run only some rows may count updates. The others have the last count before them, as
    W&B's own step counts rows, and the two do not belong on one axis.
    """

    def __init__(self, run: ForeignRun) -> None:
        self._run = run
        self._last: float | None = None

    def step(self, row: Mapping[str, object]) -> int:
        """Return the step of the next row; -1 where it has none."""
        counts = (_number(row.get(name)) for name in _STEPS)
        if (count := next((count for count in counts if count is not None), None)) is not None:
            if self._last is None and math.isfinite(count):
                self._run.rows_before(int(count))
            self._last = count
        elif self._last is not None:
            self._run.tally.add(_UNCOUNTED)
        else:
            count = _number(row.get("_step"))
        at = self._last if self._last is not None else count
        return int(at) if at is not None and math.isfinite(at) else -1


def _record(run: ForeignRun, record: bytes, clock: _Clock) -> None:
    for number, value in fields(record):
        if number == _HISTORY:
            _history(run, nested(value), clock)
        elif number == _CONFIG:
            _configure(run, nested(value))
        elif number == _RUN:
            _describe(run, nested(value))


def _describe(run: ForeignRun, message: bytes) -> None:
    for number, value in fields(message):
        if number == 4:
            _configure(run, nested(value))
        elif number == 8:
            run.name = text(value) or run.name
        elif number == 17:
            parts = dict(fields(nested(value)))
            run.started = signed(parts.get(1, 0)) + signed(parts.get(2, 0)) / 1e9


def _configure(run: ForeignRun, message: bytes) -> None:
    for key, value in _items(message):
        if not key.startswith(_INTERNAL):
            run.configure({key: value})


def _history(run: ForeignRun, message: bytes, clock: _Clock) -> None:
    """Add a row of the history: values that were logged together."""
    row = dict(_items(message))
    if step := next((nested(v) for n, v in fields(message) if n == 2), b""):
        row.setdefault("_step", next((signed(v) for n, v in fields(step) if n == 1), 0))
    at = clock.step(row)
    time = _number(row.get("_timestamp")) or 0.0
    for name, value in row.items():
        if name.startswith(_INTERNAL) or name in _STEPS:
            continue
        if (number := _number(value)) is not None:
            run.add(name, at, time, number)
        else:
            run.tally.add(_OTHERS)


def _items(message: bytes) -> Iterator[tuple[str, object]]:
    """Yield names and values of the first field of a message, where both rows and settings are."""
    for number, value in fields(message):
        if number == 1:
            yield _item(nested(value))


def _item(message: bytes) -> tuple[str, object]:
    """Return name and value of an item: JSON, or typed as newer versions write it."""
    key, names, result = "", [], None
    for number, value in fields(message):
        if number == 1:
            key = text(value)
        elif number == 2:
            names.append(text(value))
        elif number in (8, 16):
            result = _json(nested(value))
        elif number in (4, 5, 6, 7):
            result = _typed(number, value)
    return key or ".".join(names), result


def _typed(number: int, value: Value) -> object:
    if number == 4:
        return bool(value)
    if number == 5:
        raw = signed(value) % (1 << 64)
        return raw >> 1 ^ -(raw & 1)  # sint64
    return double(value) if number == 6 else text(value)


def _json(raw: bytes) -> object:
    try:
        return safe_json.loads(raw)
    except ValueError:
        return plain(raw.decode(errors="replace"))


def _number(value: object) -> float | None:
    """Return a value as a number; ``None`` for any other, among them truth values."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isinstance(value, float) or abs(value) < 1 << 1000 else math.inf
