"""The progress of a run: the phase that is under way, the epoch and the whole."""

from __future__ import annotations

from engine.runs.events import (
    BASELINES,
    EXPORTING,
    FORGETTING,
    NEARLY,
    PAUSED,
    Progress,
)
from engine.runs.history import History
from engine.runs.time_left import phase_seconds_left, seconds_left, trained
from tui.format.numbers import duration

_PHASES = {
    PAUSED: "Paused",
    "validation": "Validating",
    "test": "Testing",
    FORGETTING: "Other text",
    BASELINES: "Fitting baseline",
    EXPORTING: "Exporting",
}


def shares(history: History) -> tuple[tuple[str, float, str], tuple[str, float, str]]:
    """Return captions, shares and texts of the progress bars: epoch and whole run."""
    progress = history.progress
    if progress is None:
        text = "ended before training" if history.ended else preparing(history)
        return ("Epoch", 0.0, ""), ("Run", 0.0, text)
    total = progress.step / progress.steps if progress.steps else 0.0
    done = min(progress.epoch, float(progress.epochs))
    current = min(int(done) + 1, progress.epochs)
    share = done - (current - 1)
    per_step = progress.seconds / progress.step if progress.step else 0.0
    left = per_step * progress.steps / max(1, progress.epochs) * (1 - share)
    epoch_text = "" if history.ended or progress.phase == PAUSED else f"{duration(left)} left"
    first = (f"Epoch {current}/{progress.epochs}", share, epoch_text)
    if progress.phase not in ("train", PAUSED) and not history.ended:
        first = _phase(history, progress)
    remaining = seconds_left(history)
    updating, whole = duration(progress.seconds), duration(max(progress.seconds, history.seconds))
    run_text = f"trained {updating} of {whole}" if whole != updating else f"trained for {updating}"
    if remaining is not None:
        run_text = f"{duration(remaining)} left of {duration(progress.seconds + remaining)}"
        if trained(history, progress):
            run_text = f"finishing, {duration(remaining)} left" if remaining >= 1 else "finishing"
            first = (*first[:2], "") if progress.phase == "train" else first
    return (
        first,
        (f"Step {progress.step}/{progress.steps}", total, run_text),
    )


def phase_name(phase: str) -> str:
    """Return what a run is doing besides training."""
    return _PHASES.get(phase, f"Evaluating {phase}")


def preparing(history: History) -> str:
    """Return what is done before the first update."""
    if history.started is None:
        return "starting"
    if history.data is None:
        return "reading the data"
    return "building the network" if history.model is None else "first update"


def _phase(history: History, progress: Progress) -> tuple[str, float, str]:
    """Return the bar of a phase that is under way."""
    left = phase_seconds_left(history)
    text = f"{duration(left)} left" if left is not None else ""
    if progress.phase in (EXPORTING, BASELINES) and progress.share >= NEARLY:
        text = "longer than expected"
    return phase_name(progress.phase), progress.share, text
