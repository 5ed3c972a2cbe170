"""Runs of many updates: bounded memory and log size."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

import engine.training.progress as module
from engine import RunConfig
from engine.launch.start import Handle, launch
from engine.runs.events import Progress

Make = Callable[..., Any]


def long(steps: int) -> dict[str, Any]:
    return {
        "name": "long",
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "wine"},
        "model": {"kind": "mlp", "hidden": [8]},
        "train": {"epochs": 100_000, "batch_size": 32, "max_steps": steps, "eval_steps": 500},
        "compute": {"device": "cpu", "threads": 1},
    }


@pytest.mark.parametrize(("hours", "most"), [(0.5, 4.0), (2, 1.0), (48, 0.2)])
def test_a_long_run_reports_more_rarely(bench: Make, hours: float, most: float) -> None:
    made = bench(long(4000))
    made.state.position.seconds = hours * 3600
    made.trainer.run()
    trained = made.state.position.seconds - hours * 3600
    # Not counted: one at the first check, one at the end, and one before each evaluation.
    reports = [event for event in made.of(Progress) if event.phase == "train"]
    assert len(reports) <= trained * most + 2
    assert reports[-1].step == 4000


def test_a_long_run_is_listened_to_as_often_as_a_short_one(bench: Make) -> None:
    looks = 0

    def look(state: Any) -> Any:
        nonlocal looks
        looks += 1
        return iter(())

    made = bench(long(3000), requests=look)
    made.state.position.seconds = 48 * 3600.0
    made.trainer.run()
    trained = made.state.position.seconds - 48 * 3600
    assert looks >= trained / module.REPORT_SECONDS / 4


def memory_at(handle: Handle, step: int) -> int:
    while handle.process.poll() is None:
        last = handle.run.events.last(Progress)
        if isinstance(last, Progress) and last.step >= step:
            return int(psutil.Process(handle.process.pid).memory_info().rss)
        time.sleep(0.2)
    raise AssertionError(handle.run.log.read_text())


@pytest.mark.slow
def test_the_memory_of_a_long_run_stays_flat() -> None:
    handle = launch(RunConfig.parse(long(100_000)))
    early, late = memory_at(handle, 10_000), memory_at(handle, 95_000)
    assert late <= early * 1.05
    assert handle.wait() == 0
    assert handle.run.events.path.stat().st_size < 5_000_000
