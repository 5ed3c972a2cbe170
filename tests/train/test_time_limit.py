"""A run that is limited in time plans its updates and its learning rate to fit."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any

import pytest

from engine import RunConfig, train
from engine.config.train import TrainConfig
from engine.runs.directory import RunDirectory
from engine.runs.events import Finished, Progress, decode
from engine.runs.follower import read_history
from engine.training.checkpoints.state import Position
from engine.training.evaluation import SplitEvaluator
from engine.training.lr_schedule import Schedule
from engine.training.time_limit import TimeLimit

WINE: dict[str, Any] = {
    "name": "wine",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "wine"},
    "model": {"kind": "mlp", "hidden": [16], "dropout": 0.0},
    "train": {"batch_size": 32, "learning_rate": 0.01},
    "compute": {"device": "cpu", "threads": 1},
}


def wine(**section: Any) -> RunDirectory:
    return train(RunConfig.parse(WINE | {"train": WINE["train"] | section}))


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


def test_the_time_that_a_roll_back_loses_is_not_had_again(bench: Any) -> None:
    section = {"epochs": 1000, "max_minutes": 1.0, "eval_steps": 100_000}
    trainer = bench(WINE | {"train": WINE["train"] | section}).trainer
    setup = replace(trainer.setup, begun=time.perf_counter() - 30)
    limit = TimeLimit(setup, trainer.schedule, trainer.validation, (None, None))
    position = trainer.state.position
    position.step, position.seconds = 10, 30.0
    limit.plan()
    assert position.last_step == pytest.approx(10 + (59.4 - 30) / 3, abs=1.5)
    position.step, position.seconds = 5, 15.0
    limit.restart()
    position.step, position.seconds = 6, 18.0
    limit.plan()
    assert position.last_step == pytest.approx(6 + (59.4 - 33) / 3, abs=1.5)


@pytest.mark.parametrize("measured", [False, True])
def test_a_slow_first_update_does_not_end_the_run(bench: Any, measured: bool) -> None:
    section = {"epochs": 100_000, "max_minutes": 1.0, "eval_steps": 100_000}
    trainer = bench(WINE | {"train": WINE["train"] | section}).trainer
    setup = replace(trainer.setup, begun=time.perf_counter() - 10)
    held_out = [0.0] * 3200  # a hundred batches
    splits: Any = (held_out, held_out) if measured else (None, None)
    limit = TimeLimit(setup, trainer.schedule, trainer.validation, splits)
    position = trainer.state.position
    position.step, position.seconds = 1, 10.0
    limit.plan()
    assert limit.evaluation_wanted() is measured
    assert position.last_step is None
    if measured:  # it takes a second, not 400 as the first update lets one guess
        trainer.validation.seconds = trainer.validation.total_seconds = 1.0
        position.seconds = 11.0
        limit.plan()
        assert not limit.evaluation_wanted()
        assert position.last_step is None
    position.step += 10
    position.seconds += 1.0
    limit.plan()
    left = 59.4 - (12.0 + 2.0 if measured else 11.0)
    assert position.last_step == pytest.approx(11 + left / 0.1, abs=8)


def test_an_evaluation_that_waits_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a hundred times as long as the others, of which there is one every four updates."""
    evaluate, calls = SplitEvaluator.evaluate, itertools.count(1)

    def slow_once(*arguments: Any, **options: Any) -> Any:
        if next(calls) == 50:
            time.sleep(0.75)
        return evaluate(*arguments, **options)

    monkeypatch.setattr(SplitEvaluator, "evaluate", slow_once)
    run = wine(epochs=100_000, max_minutes=0.15, eval_steps=0)
    assert next(calls) > 50
    ending = read_history(run).ending
    assert isinstance(ending, Finished)
    assert ending.seconds > 6.0


@pytest.mark.parametrize(
    "seconds", [[2.0, 2.0, 90.0], [90.0, 2.0, 2.0], [2.0, 2.0, 2.0, 2.0, 90.0]]
)
def test_the_time_of_an_evaluation_is_that_of_most(bench: Any, seconds: list[float]) -> None:
    validation = bench(WINE).trainer.validation
    for one in seconds:
        validation.run({"loss": 1.0}, one)
    assert validation.seconds == pytest.approx(2.0, abs=0.5)


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
