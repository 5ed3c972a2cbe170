"""One sweep by several workers, of which one is killed: no trial is lost, none is made twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.presets import find_preset, load_preset
from engine.processes.environment import worker_environment
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Finished, Started
from engine.runs.status import State
from engine.sweep.directory import SweepConfig, SweepDirectory

pytest.importorskip("optuna")

TRIALS, WORKERS = 200, 4
KILLED_AFTER = 60
PATIENCE_SECONDS = 3500

pytestmark = pytest.mark.faults


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.5)


def join(sweep: SweepDirectory) -> subprocess.Popen[bytes]:
    """Join by the command, as on another machine."""
    command = [sys.executable, "-m", "tui", "sweep", "--join", sweep.name, "--parallel", "1"]
    return subprocess.Popen(command, env=worker_environment(), stdout=subprocess.DEVNULL)


def left_by(sweep: SweepDirectory) -> dict[str, str]:
    """The runs of trials that are running, by the worker that makes them."""
    from optuna.trial import TrialState

    from engine.sweep.study import open_storage

    storage = open_storage(sweep)
    study = storage.get_study_id_from_name("sweep")
    found = storage.get_all_trials(study, states=(TrialState.RUNNING,))
    return {
        str(trial.user_attrs.get("worker")): str(trial.user_attrs.get("run")) for trial in found
    }


@pytest.mark.timeout(PATIENCE_SECONDS + 60)
def test_200_trials_by_4_workers_are_made_once_each(home: Path) -> None:
    base = load_preset(find_preset("wine-mlp"), ["train.epochs=2", "compute.threads=1"])
    space = {"train.learning_rate": "1e-4..1e-1:log", "train.batch_size": "8..64"}
    settings = {"name": "many", "base": base.values(), "space": space, "trials": TRIALS,
                "sampler": "random", "pruner": "none"}  # fmt: skip
    sweep = SweepDirectory.create(home / "sweeps", SweepConfig.model_validate(settings))

    def done() -> int:
        return sum(row.state == "complete" for row in sweep.table().trials)

    first = sweep.start()
    until(lambda: sweep.table().trials)
    others = [join(sweep) for _ in range(WORKERS - 1)]
    until(lambda: len(left_by(sweep)) == WORKERS and done() >= KILLED_AFTER)
    before = left_by(sweep)
    first.kill()
    first.wait()
    (lost,) = [run for worker, run in before.items() if not sweep.workers.searches(worker)] or [""]
    worker = RunDirectory(home / "runs" / lost).status.worker() if lost else None
    if worker is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)

    assert [process.wait(PATIENCE_SECONDS) for process in others] == [0] * (WORKERS - 1)
    table = sweep.table()
    assert [row.number for row in table.trials] == list(range(TRIALS))
    assert Counter(row.state for row in table.trials) == {"complete": TRIALS}
    runs = all_runs(home / "runs")
    assert sorted(row.run for row in table.trials) == sorted(run.id for run in runs)
    assert {run.status.state() for run in runs} == {State.FINISHED}
    assert Counter(len([*run.events.newest(Finished)]) for run in runs) == {1: TRIALS}
    starts = Counter(len([*run.events.newest(Started)]) for run in runs)
    print(f"killed after {KILLED_AFTER}: its run {lost}; starts of runs: {dict(starts)}")
