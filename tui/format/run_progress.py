"""The progress of a run: the phase that is under way, the epoch and the whole."""

from __future__ import annotations

from engine.runs.events import (
    BASELINES,
    EXPORTING,
    FORGETTING,
    NEARLY,
    PAUSED,
    Data,
    Model,
    Progress,
    Started,
)
from engine.runs.history import History
from engine.runs.time_left import phase_seconds_left, seconds_left, seconds_spent, trained
from tui.format.numbers import duration

_PHASES = {
    PAUSED: "Paused",
    "validation": "Validating",
    "test": "Testing",
    FORGETTING: "Other text",
    BASELINES: "Fitting baseline",
    EXPORTING: "Exporting",
}


Bar = tuple[str, float, str]
"""Caption, share and text of a progress bar."""


def shares(history: History, *, over: bool = False, starting: bool = False) -> tuple[Bar, Bar]:
    """Return the progress bars: epoch and whole run.

    ``over``: no process works on the run, whatever its events tell. ``starting``: one does that
    has not written an event yet.
    """
    progress, ended = history.progress, (over or history.ended) and not starting
    preparation = "starting" if starting else preparing(history)
    if progress is None:
        return ("Epoch", 0.0, ""), ("Run", 0.0, "ended before training" if ended else preparation)
    total = progress.step / progress.steps if progress.steps else 0.0
    done = min(progress.epoch, float(progress.epochs))
    current = min(int(done) + 1, progress.epochs)
    share = done - (current - 1)
    per_step = progress.seconds / progress.step if progress.step else 0.0
    left = per_step * progress.steps / max(1, progress.epochs) * (1 - share)
    first = (f"Epoch {current}/{progress.epochs}", share, "")
    whole_caption = f"Step {progress.step}/{progress.steps}"
    if not ended and preparation:
        return first, (whole_caption, total, preparation)
    if progress.phase not in ("train", PAUSED) and not ended:
        first = _phase(history, progress)
    elif not ended and progress.phase != PAUSED:
        first = (*first[:2], f"{duration(left)} left")
    remaining = None if ended else seconds_left(history)
    updating, whole = duration(progress.seconds), duration(max(progress.seconds, history.seconds))
    run_text = f"trained {updating} of {whole}" if whole != updating else f"trained for {updating}"
    if remaining is not None:
        run_text = f"{duration(remaining)} left of {duration(seconds_spent(history) + remaining)}"
        if trained(history, progress):
            run_text = f"finishing, {duration(remaining)} left" if remaining >= 1 else "finishing"
            first = (*first[:2], "") if progress.phase == "train" else first
    return first, (whole_caption, total, run_text)


def phase_name(phase: str) -> str:
    """Return what a run is doing besides training."""
    return _PHASES.get(phase, f"Evaluating {phase}")


def preparing(history: History) -> str:
    """Return what is done before the first progress; an empty text after it."""
    match history.prepared:
        case Started():
            return "reading the data"
        case Data():
            return "building the network"
        case Model():
            return "first update"
        case None:
            return "" if history.progress else "starting"


def _phase(history: History, progress: Progress) -> tuple[str, float, str]:
    """Return the bar of a phase that is under way."""
    left = phase_seconds_left(history)
    text = f"{duration(left)} left" if left is not None else ""
    if progress.phase in (EXPORTING, BASELINES) and progress.share >= NEARLY:
        text = "longer than expected"
    return phase_name(progress.phase), progress.share, text
