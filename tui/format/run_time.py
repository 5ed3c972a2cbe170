"""The time of a run in words, as far as it was measured."""

from __future__ import annotations

from engine.reports.estimate import Estimate
from tui.format.numbers import duration


def run_time(estimate: Estimate) -> str:
    """Return the time of the run and of an epoch, and what it goes by; empty while unknown."""
    speed = estimate.speed
    if speed is None or estimate.seconds is None or estimate.epoch_seconds is None:
        return ""
    source = "measured" if not speed.runs else "as 1 run" if speed.runs == 1 else ""
    source = source or f"as {speed.runs} runs"
    whole = duration(estimate.seconds) + (" of training" if speed.around is None else "")
    return f"about {whole}, {_short(estimate.epoch_seconds)} an epoch ({source})"


def _short(seconds: float) -> str:
    """Return a length of time, also one below a second."""
    return f"{seconds:.2g} s" if seconds < 10 else duration(seconds)
