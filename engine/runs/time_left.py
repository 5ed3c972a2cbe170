"""The time that a run still takes, as far as its events tell."""

from __future__ import annotations

from engine.runs.events import BASELINES, EXPORTING, Progress
from engine.runs.history import History

_TEST, _VALIDATION = "test", "validation"
LAST_PHASES = (_TEST, EXPORTING, BASELINES)
"""Phases after the last update, in their order; a run may come to them before its last step."""


def trained(history: History, progress: Progress) -> bool:
    """Return whether there are no more updates to come: the run is evaluated and exported."""
    ended = progress.step >= progress.steps or _TEST in history.final or history.stopping
    return ended or progress.phase in LAST_PHASES


def seconds_left(history: History) -> float | None:
    """Estimated seconds to the end of the run, ``None`` while nothing tells them.

    Updates go on at the mean speed so far, the evaluation that is under way included. The test is
    as fast a row as the last validation, and baselines and export take what the process that
    trains expected of them.
    """
    progress = history.progress
    if progress is None or progress.step == 0 or history.ended:
        return None
    _, left = _interruption(history, progress)
    updates = 0.0
    if not trained(history, progress):
        pace = (seconds_spent(history) + left) / progress.step
        updates = pace * (progress.steps - progress.step)
    return left + updates + sum(_last_phases(history, progress))


def seconds_spent(history: History) -> float:
    """Seconds of training so far, those of an evaluation that is under way included."""
    progress = history.progress
    return progress.seconds + _interruption(history, progress)[0] if progress else 0.0


def _interruption(history: History, progress: Progress) -> tuple[float, float]:
    """Return the seconds of an evaluation between updates: those that passed, and those left."""
    first = history.phase
    if first is None or first.phase in LAST_PHASES:
        return 0.0, 0.0
    passed, left = progress.time - first.time, phase_seconds_left(history)
    if left is None:
        left = history.validation_seconds if first.phase == _VALIDATION else 0.0
    return passed, left


def phase_seconds_left(history: History) -> float | None:
    """Estimated seconds to the end of the phase that is under way, where its progress tells them.

    Updates are not such a phase.
    """
    first, progress = history.phase, history.progress
    if first is None or progress is None or progress.share <= first.share or history.ended:
        return None
    rate = (progress.share - first.share) / max(1e-9, progress.time - first.time)
    return (1 - progress.share) / rate


def _last_phases(history: History, progress: Progress) -> list[float]:
    """Return the seconds of the phases after the last update, as far as they are to come."""
    rows: dict[str, int] = (history.data or {}).get("rows") or {}
    testing = history.validation_seconds * rows.get(_TEST, 0) / (rows.get("validation") or 1)
    model = history.model
    seconds = {
        _TEST: 0.0 if _TEST in history.final else testing,
        EXPORTING: model.exporting_seconds if model else 0.0,
        BASELINES: model.baselines_seconds if model else 0.0,
    }
    if progress.phase not in LAST_PHASES:
        return list(seconds.values())
    here, *after = LAST_PHASES[LAST_PHASES.index(progress.phase) :]
    known = phase_seconds_left(history)
    return [seconds[here] if known is None else known, *(seconds[name] for name in after)]
