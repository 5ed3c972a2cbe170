"""Sweeps with real runs: completed, stopped, killed and resumed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.presets import find_preset, load_preset
from engine.errors import ConfigError, RunError
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import TIME_LIMIT, Finished
from engine.runs.follower import read_history
from engine.sweep.directory import SweepConfig, SweepDirectory, all_sweeps

pytest.importorskip("optuna")

RATES = {"train.learning_rate": "1e-3,1e-2"}
PATIENCE_SECONDS = 240


def sweep(home: Path, space: dict[str, str], *fixed: str, **settings: object) -> SweepDirectory:
    base = load_preset(find_preset("wine-mlp"), ["train.epochs=3", *fixed]).values()
    config = SweepConfig.model_validate({"name": "s", "base": base, "space": space} | settings)
    return SweepDirectory.create(home / "sweeps", config)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


def test_a_grid_tries_every_point_once_and_ranks_them(home: Path) -> None:
    made = sweep(home, RATES, sampler="grid", trials=10, parallel=2)
    assert made.start().wait(PATIENCE_SECONDS) == 0
    table = made.table()
    assert {row.values["train.learning_rate"] for row in table.trials} == {"1e-3", "1e-2"}
    assert [row.state for row in table.trials] == ["complete"] * 2
    best, other = table.ranked()
    assert best.value is not None
    assert other.value is not None
    assert best.value < other.value, "wine-mlp decides by the loss"
    run = RunDirectory(home / "runs" / best.run)
    assert run.config.read().train.learning_rate == float(best.values["train.learning_rate"])
    assert (run.report.read() or {})["metrics"]["validation"]["loss"] == best.value


@pytest.mark.slow
def test_a_killed_search_is_taken_up_with_the_runs_it_left(home: Path) -> None:
    made = sweep(home, {"train.learning_rate": "1e-3..1e-1:log"}, "train.epochs=40", trials=3)
    process = made.start()
    until(lambda: made.table().trials and made.table().trials[0].run)
    process.kill()
    process.wait()
    left = made.table().trials[0].run

    assert made.start().wait(PATIENCE_SECONDS) == 0

    table = made.table()
    assert [row.state for row in table.trials] == ["complete"] * 3
    assert table.trials[0].run == left
    assert table.preset == table.trials[0]
    assert len(all_runs(home / "runs")) == 3


@pytest.mark.slow
def test_a_process_that_joins_takes_up_what_a_killed_one_left(home: Path) -> None:
    """No trial is lost, none is made twice."""
    made = sweep(home, {"train.learning_rate": "1e-3..1e-1:log"}, "train.epochs=200", trials=5)
    first = made.start()
    until(lambda: made.table().trials and made.table().trials[0].run)
    second = made.join(2)
    until(lambda: len([row for row in made.table().trials if row.run]) >= 3)
    assert made.running()
    first.kill()
    first.wait()
    assert made.running()

    assert second.wait(PATIENCE_SECONDS) == 0

    assert not made.running()
    table = made.table()
    assert [row.number for row in table.trials] == list(range(5))
    assert {row.state for row in table.trials} == {"complete"}
    assert len({row.run for row in table.trials}) == len(all_runs(home / "runs")) == 5
    assert len({row.values["train.learning_rate"] for row in table.trials}) == 5


def test_a_sweep_that_was_stopped_is_resumed_and_not_joined(home: Path) -> None:
    made = sweep(home, RATES)
    made.ask_to_stop()
    with pytest.raises(RunError, match="--resume s"):
        made.join(1)


@pytest.mark.slow
def test_a_sweep_in_a_time_limit_trains_the_best_of_its_short_trials_at_length(home: Path) -> None:
    made = sweep(home, RATES, "train.epochs=100000", sampler="grid", minutes=1.2)
    assert made.start().wait(PATIENCE_SECONDS) == 0
    table = made.table()
    assert [row.state for row in table.trials] == ["complete"] * 3
    runs = [RunDirectory(home / "runs" / row.run) for row in table.trials]
    limits = [run.config.read().train.max_minutes or 0 for run in runs]
    assert limits[0] == pytest.approx(limits[1])
    assert limits[2] > limits[0]
    endings = [read_history(run).ending for run in runs]
    assert all(isinstance(end, Finished) and end.reason == TIME_LIMIT for end in endings)
    explored = sorted(table.trials[:2], key=lambda row: row.value or 0.0)
    assert table.trials[2].values == explored[0].values, "wine-mlp decides by the loss"


@pytest.mark.slow
def test_a_stopped_sweep_keeps_what_it_has(home: Path) -> None:
    made = sweep(home, RATES, "train.epochs=100000", trials=2)
    process = made.start()
    until(lambda: made.table().trials)
    run = RunDirectory(home / "runs" / made.table().trials[0].run)
    until(lambda: run.events.path.exists() and b'"evaluated"' in run.events.path.read_bytes())
    made.ask_to_stop()
    assert process.wait(PATIENCE_SECONDS) == 0
    (row,) = made.table().trials
    assert row.state == "complete"
    assert row.value is not None
    assert [found.name for found in all_sweeps(home / "sweeps")] == ["s"]


@pytest.mark.slow
def test_a_hopeless_trial_is_pruned(home: Path) -> None:
    """The fifth trial, since the median needs four complete ones."""
    rates = {"train.learning_rate": "1e-2,1.1e-2,1.2e-2,1.3e-2,1e-9"}
    made = sweep(home, rates, "train.epochs=12", sampler="grid")
    assert made.start().wait(PATIENCE_SECONDS) == 0
    assert [row.state for row in made.table().trials] == ["complete"] * 4 + ["pruned"]


def test_a_sweep_that_cannot_be_searched_is_refused_before_it_begins(home: Path) -> None:
    with pytest.raises(ConfigError, match="no such field"):
        sweep(home, {"train.rate": "1,2"}).config().dimensions()
    with pytest.raises(RunError, match="sweep s already"):
        sweep(home, RATES)


def test_a_grid_over_a_range_says_what_it_needs(home: Path) -> None:
    made = sweep(home, {"train.learning_rate": "1e-3..1e-1"}, sampler="grid")
    assert made.start().wait(PATIENCE_SECONDS) == 1
    assert "a grid needs single values" in made.table().problem
