"""The list of a host's runs, of which only changes are sent."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import RunError
from engine.files import plain_paths, safe_json
from engine.files.sanitize import plain
from engine.remote.messages import MOST_METRICS, MOST_ROWS, Row, Rows
from engine.runs.events import ENDINGS
from engine.runs.listing import RunList
from engine.runs.status import State
from engine.runs.summary import RunSummary

_PROGRESS_SECONDS = 5.0
"""Time between two messages on a run of which only the progress has changed."""


class RowNews:
    """The rows of one folder, and what of them the other end knows."""

    def __init__(self, folder: Path) -> None:
        self._list = RunList(folder)
        self._sent: dict[str, tuple[float, Row]] = {}
        self._made: dict[str, tuple[RunSummary, Row]] = {}
        self._complete = False

    def news(self) -> Iterator[Rows]:
        """Yield what has changed since the last call, the newest runs first.

        A folder that cannot be read is one without changes.
        """
        now = time.monotonic()
        changed: list[Row] = []
        seen: set[str] = set()
        try:
            for summary in self._list.read():
                seen.add(summary.id)
                row = self._row(summary)
                if self._tells(row, now):
                    self._sent[row.run] = now, row
                    changed.append(row)
                if len(changed) == MOST_ROWS:
                    yield Rows(rows=tuple(changed))
                    changed.clear()
        except RunError:
            return
        self._list.save()
        gone = tuple(self._sent.keys() - seen)
        for run in gone:
            del self._sent[run], self._made[run]
        yield from _messages(changed, gone, not self._complete)
        self._complete = True

    def _row(self, summary: RunSummary) -> Row:
        """Return the row of a run; of one without changes the list has the same summary again."""
        summarized, row = self._made.get(summary.id, (None, None))
        if row is None or summarized is not summary:
            row = row_of(summary)
            self._made[summary.id] = summary, row
        return row

    def _tells(self, row: Row, now: float) -> bool:
        moment, known = self._sent.get(row.run, (0.0, None))
        if known is None or row == known:
            return known is None
        same = row.model_copy(update={"done": known.done, "seconds": known.seconds}) == known
        return not same or now - moment >= _PROGRESS_SECONDS


def _messages(changed: Sequence[Row], gone: Sequence[str], first: bool) -> Iterator[Rows]:
    for place in range(0, len(gone), MOST_ROWS):
        yield Rows(gone=tuple(gone[place : place + MOST_ROWS]))
    if changed or first:
        yield Rows(rows=tuple(changed), complete=first)


def row_of(summary: RunSummary) -> Row:
    """Return what is sent of a run."""
    metrics = {
        plain(name, 300): value
        for name, value in list(summary.metrics.items())[:MOST_METRICS]
        if math.isfinite(value)
    }
    return Row(
        run=summary.id,
        name=plain(summary.name, 300),
        state=summary.state,
        started=summary.started,
        seconds=round(summary.seconds, 1),
        task=plain(summary.task, 300),
        data=plain(summary.data, 300),
        model=plain(summary.model, 300),
        metric=plain(summary.metric, 300),
        metrics=metrics,
        done=round(min(1.0, max(0.0, summary.done)), 4) if summary.done is not None else None,
        paused=summary.paused,
        problem=plain(summary.problem, 2000),
        tags=tuple(summary.notes.tags),
        note=summary.notes.note,
        pinned=summary.notes.pinned,
        noted=_noted(summary),
    )


def _noted(summary: RunSummary) -> float | None:
    """Return when the newest worker took over: never after the event with which it ended."""
    try:
        noted = safe_json.loads(plain_paths.read(f"{summary.run.path}/worker.json"))["noted"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(noted, float | int):
        return None
    last = summary.run.events.last(*ENDINGS) if summary.state.ended else None
    if last is None or summary.state is State.LOST:
        return float(noted)
    return min(float(noted), last.time)  # the clock of this machine may have been set in between
