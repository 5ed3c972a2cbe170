"""The keys for what is done with a finished run, the same on every screen of a run."""

from __future__ import annotations

from dataclasses import replace

from textual.binding import Binding

RUN_KEYS = (
    Binding("F", "of_run('predict')", "Save predictions", show=False),
    Binding("X", "of_run('export')", "Export the model", show=False),
    Binding("R", "of_run('report')", "Write a report", show=False),
    Binding("U", "of_run('push')", "Push to the hub (upload)", show=False),
    Binding("B", "of_run('evaluate')", "Benchmarks (eval)", show=False),
    Binding("Q", "of_run('queue')", "Queue", show=False),
    Binding("W", "of_run('sweeps')", "Sweeps", show=False),
)


def run_keys(*shown: str) -> tuple[Binding, ...]:
    """Return the keys; the footer shows those of the actions that are named."""
    actions = {f"of_run('{name}')" for name in shown}
    return tuple(replace(key, show=key.action in actions) for key in RUN_KEYS)
