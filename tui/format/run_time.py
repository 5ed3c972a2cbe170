"""The time of a run in words, as far as it was measured."""

from __future__ import annotations

from engine.reports.counted import counted
from engine.reports.estimate import Estimate
from tui.format.numbers import duration


def run_time(estimate: Estimate) -> str:
    """Return the time of the run and of an epoch, and what it goes by; empty while unknown."""
    speed = estimate.speed
    if speed is None or estimate.seconds is None or estimate.epoch_seconds is None:
        return ""
    source = f"by {counted(speed.runs, 'earlier run')}" if speed.runs else "measured"
    whole = duration(estimate.seconds) + (" of training" if speed.around is None else "")
    return f"about {whole}, {_short(estimate.epoch_seconds)} an epoch ({source})"


def _short(seconds: float) -> str:
    """Return a length of time, also one below a second."""
    return f"{seconds:.2g} s" if seconds < 10 else duration(seconds)
