"""A run that is limited in time plans its updates and its learning rate to fit."""

from __future__ import annotations

from typing import Any

import pytest

from engine import RunConfig, train
from engine.config.train import TrainConfig
from engine.runs.directory import RunDirectory
from engine.runs.events import Finished, Progress, decode
from engine.runs.follower import read_history
from engine.training.lr_schedule import Schedule
from engine.training.state import Position


def wine(**section: Any) -> RunDirectory:
    return train(
        RunConfig.parse(
            {
                "name": "wine",
                "task": {"kind": "tabular_classification"},
                "data": {"kind": "builtin", "name": "wine"},
                "model": {"kind": "mlp", "hidden": [16], "dropout": 0.0},
                "train": {"batch_size": 32, "learning_rate": 0.01} | section,
                "compute": {"device": "cpu", "threads": 1},
            }
        )
    )


def weights_of(run: RunDirectory) -> bytes:
    (path,) = run.model.glob("*.safetensors")
    return path.read_bytes()


def test_a_run_ends_at_its_limit_with_the_schedule_at_its_end() -> None:
    run = wine(epochs=100_000, max_minutes=0.1, eval_steps=50)
    history = read_history(run)
    assert isinstance(history.ending, Finished)
    assert history.ending.reason == "the time limit"
    events = [decode(line) for line in run.events.path.read_bytes().splitlines()]
    progress = [event for event in events if isinstance(event, Progress)]
    updates = [event for event in progress if event.phase == "train"]
    assert updates[-1].step < 100_000
    assert updates[-1].learning_rate < 0.01 * 0.05
    assert history.evaluations[-1].step == updates[-1].step


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    run = wine(epochs=3, max_minutes=60.0)
    history = read_history(run)
    assert isinstance(history.ending, Finished)
    assert history.ending.reason == "completed"
    assert weights_of(run) == weights_of(wine(epochs=3))


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_limited_schedule_goes_on_from_its_rate_to_the_end(kind: Any) -> None:
    position = Position()
    schedule = Schedule(TrainConfig(epochs=10, lr_scheduler_type=kind), position, batches=100)
    position.step = 200
    before = schedule.factor(200)
    schedule.limit_steps(300)
    assert schedule.steps == 300
    assert schedule.factor(200) == pytest.approx(before)
    assert schedule.factor(300) == pytest.approx(0.0, abs=1e-12)
    position.step = 250
    middle = schedule.factor(250)
    schedule.limit_steps(5_000)
    assert schedule.steps == 1_000
    assert schedule.factor(250) == pytest.approx(middle)
    assert schedule.factor(1_000) == pytest.approx(0.0, abs=1e-12)
