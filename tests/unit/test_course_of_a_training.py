"""What changes the course of a training: requests, schedules, evaluations that decide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.config.run_config import RunConfig
from engine.config.train import TrainConfig
from engine.runs.control import Request
from engine.runs.events import Controlled, Evaluated, Event
from engine.tasks.create import create_task
from engine.tasks.shown_samples import ShownSamples
from engine.training.checkpoints.state import Ending, Position, TrainingState
from engine.training.controls import Controls
from engine.training.evaluation import Abandoned
from engine.training.lr_schedule import Schedule
from engine.training.save_times import SaveTimes
from engine.training.trainer_setup import Outlets, Setup
from engine.training.validation import Validation

EVALUATION: Any = SimpleNamespace(metrics={})


def state_of(network: nn.Module | None = None) -> TrainingState:
    network = network or nn.Linear(2, 1)
    return TrainingState(network, torch.optim.SGD(network.parameters(), lr=0.1))


class Desk:
    """Controls of a run whose requests are a list, with the answers that were given."""

    def __init__(self, **values: Any) -> None:
        self.pending: list[Request] = []
        self.answers: list[Controlled] = []
        self.interrupted = False
        self.state = state_of()
        self.config = TrainConfig(learning_rate=0.5, epochs=4, **values)
        self.schedule = Schedule(self.config, self.state.position, batches=10)
        outlets = Outlets(self._report, self._requests, lambda _: None, lambda: self.interrupted)
        self.controls = Controls(outlets, self.state, self.schedule)

    def _report(self, event: Event) -> None:
        assert isinstance(event, Controlled)
        self.answers.append(event)

    def _requests(self) -> Iterator[Request]:
        while self.pending:
            yield self.pending.pop(0)

    def ask(self, action: str, **arguments: Any) -> Controlled | None:
        self.pending.append(Request(action, arguments))
        before = len(self.answers)
        self.controls.poll()
        return self.answers[-1] if len(self.answers) > before else None


def test_a_request_to_stop_ends_the_run_and_keeps_the_model() -> None:
    desk = Desk()
    answer = desk.ask("stop")
    assert answer is not None
    assert answer.accepted
    assert desk.state.ending is Ending.STOPPED
    assert desk.controls.asked_to_end()


def test_the_system_may_ask_to_end_too() -> None:
    desk = Desk()
    assert not desk.controls.asked_to_end()
    desk.interrupted = True
    assert desk.controls.asked_to_end()


def test_a_checkpoint_is_answered_once_it_is_written() -> None:
    desk = Desk()
    assert desk.ask("checkpoint") is None
    assert desk.controls.checkpoint
    desk.controls.checkpoint_written()
    assert not desk.controls.checkpoint
    assert desk.answers[-1].message == "Checkpoint written."


def test_pausing_twice_and_continuing_without_a_pause_are_refused() -> None:
    desk = Desk()
    accepted = [
        answer is not None and answer.accepted
        for answer in map(desk.ask, ["continue", "pause", "pause", "continue", "continue"])
    ]
    assert accepted == [False, True, False, True, False]


@pytest.mark.parametrize("value", [0, -1, 101, math.nan, math.inf, "0.1", True, None, [1]])
def test_learning_rates_that_are_none_are_refused_and_change_nothing(value: Any) -> None:
    desk = Desk()
    answer = desk.ask("learning_rate", value=value)
    assert answer is not None
    assert not answer.accepted
    assert desk.state.position.lr_scale == 1.0
    assert not desk.controls.changed


@pytest.mark.parametrize("scheduler", ["constant", "linear", "cosine"])
def test_a_new_learning_rate_scales_the_whole_schedule(scheduler: str) -> None:
    desk = Desk(lr_scheduler_type=scheduler, warmup_ratio=0.1)
    before = [desk.schedule.factor(step) for step in range(41)]
    answer = desk.ask("learning_rate", value=0.05)
    assert answer is not None
    assert answer.accepted
    assert desk.controls.changed
    after = [desk.schedule.factor(step) for step in range(41)]
    assert after == pytest.approx([0.1 * factor for factor in before])


@pytest.mark.parametrize(
    ("epoch", "batch", "value", "accepted"),
    [
        (0, 0, 1, True), (2, 3, 3, True), (2, 3, 2, False), (2, 0, 2, False), (2, 0, 3, True),
        (0, 5, 100_000, True), (0, 5, 100_001, False), (0, 0, 0, False), (0, 0, 2.5, False),
        (0, 0, 2.0, True), (0, 0, "3", False), (0, 0, True, False), (0, 0, math.nan, False),
    ],
)  # fmt: skip
def test_epochs_are_whole_and_not_fewer_than_have_begun(
    epoch: int, batch: int, value: Any, accepted: bool
) -> None:
    desk = Desk()
    position = desk.state.position
    position.epoch, position.batch, position.step = epoch, batch, 10 * epoch + batch
    answer = desk.ask("epochs", value=value)
    assert answer is not None
    assert answer.accepted is accepted
    assert desk.schedule.epochs == (int(value) if accepted else 4)


def test_more_epochs_than_the_limit_of_updates_are_refused() -> None:
    desk = Desk(max_steps=25)
    answer = desk.ask("epochs", value=3)
    assert answer is not None
    assert not answer.accepted
    assert "train.max_steps ends the run after 25 updates" in answer.message
    fewer = desk.ask("epochs", value=2)
    assert fewer is not None
    assert fewer.accepted


def test_an_unknown_request_is_answered() -> None:
    answer = Desk().ask("dance" * 20)
    assert answer is not None
    assert not answer.accepted
    assert len(answer.message) < 80


@given(
    st.sampled_from(["constant", "linear", "cosine"]),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.integers(1, 39),
    st.integers(1, 12),
)
@settings(max_examples=80, deadline=None)
def test_a_change_of_epochs_bends_the_schedule_without_a_jump(
    scheduler: Any, warmup: float, step: int, epochs: int
) -> None:
    config = TrainConfig(epochs=4, lr_scheduler_type=scheduler, warmup_ratio=warmup)
    position = Position(step=step, epoch=step // 10, batch=step % 10)
    if epochs <= position.epoch:
        return
    schedule = Schedule(config, position, batches=10)
    before = [schedule.factor(i) for i in range(41)]
    schedule.change_epochs(epochs)
    assert schedule.steps == 10 * epochs
    assert schedule.factor(step) == pytest.approx(before[step], abs=1e-9)
    if epochs * 10 > step:
        assert schedule.factor(10 * epochs) == pytest.approx(before[40], abs=1e-9)
        if (10 * epochs - step) % 2 == 0 and (40 - step) % 2 == 0:
            middles = (step + 10 * epochs) // 2, (step + 40) // 2
            assert schedule.factor(middles[0]) == pytest.approx(before[middles[1]], abs=1e-9)
    assert all(0 <= schedule.factor(i) <= 1 for i in range(step, 10 * epochs + 1))


def test_updates_are_counted_with_accumulation_and_limits() -> None:
    config = TrainConfig(epochs=3, gradient_accumulation_steps=4, max_steps=7)
    position = Position(epoch=1, batch=5)
    schedule = Schedule(config, position, batches=10)
    assert schedule.per_epoch == 3
    assert schedule.steps == 7
    assert schedule.epochs_done == 1.5
    schedule.limit_steps(5)
    assert schedule.steps == 5
    schedule.limit_steps(100)  # no limit any more
    assert schedule.steps == 7


@pytest.mark.parametrize(("every", "due"), [(0, []), (3, [3, 6, 9]), (5, [5, 10])])
def test_checkpoints_are_due_every_few_updates(every: int, due: list[int]) -> None:
    position = Position()
    times = SaveTimes(TrainConfig(save_steps=every, save_minutes=1000), position)
    found = []
    for position.step in range(1, 11):
        if times.due():
            found.append(position.step)
    assert found == due


def test_a_state_that_takes_long_to_save_is_saved_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("engine.training.save_times.time.perf_counter", lambda: now)
    times = SaveTimes(TrainConfig(save_steps=0, save_minutes=1), Position())
    assert not times.due()
    now = 60.0
    assert times.due()
    with times.saving():
        now = 70.0  # ten seconds: at most every 500 seconds
    now = 569.0
    assert not times.due()
    now = 570.0
    assert times.due()


class Evaluations:
    """An evaluation with the given metrics, one after the other; ``None`` is one that is ended."""

    def __init__(self, *metrics: dict[str, float] | None, **train: Any) -> None:
        values = {"task": {"kind": "tabular_classification"}, "model": {"kind": "mlp"},
                  "data": {"kind": "builtin", "name": "iris"}, "train": train}  # fmt: skip
        task = create_task(RunConfig.parse(values))
        self.events: list[Event] = []
        self.state = state_of()
        outlets = Outlets(self.events.append, lambda: iter(()), lambda _: None, lambda: False)
        compute: Any = None
        fitted: Any = None
        setup = Setup(task, fitted, self.state, compute, outlets)
        self.pending = list(metrics)
        progress: Any = SimpleNamespace(
            tick=lambda: None, meter=SimpleNamespace(restart_clock=lambda: None)
        )
        schedule = Schedule(setup.config, self.state.position, batches=10)
        source: Any = object()
        self.validation = Validation(setup, source, schedule, progress, self)  # type: ignore[arg-type]

    def evaluate(self, source: Any, split: str, to_the_end: bool) -> Any:
        del source, split, to_the_end
        metrics = self.pending.pop(0)
        if metrics is None:
            raise Abandoned
        return SimpleNamespace(metrics=metrics)

    def samples(self, source: Any, split: str) -> ShownSamples:
        del source, split
        return ShownSamples()

    def run(self) -> list[bool]:
        """Evaluate all, ten updates apart; returns which were the best so far."""
        while self.pending:
            self.state.position.step += 10
            weight = float(self.state.position.step)
            nn.init.constant_(self.state.network.weight, weight)  # type: ignore[arg-type]
            self.validation.run()
        return [event.best for event in self.events if isinstance(event, Evaluated)]


def losses(*values: float) -> list[dict[str, float]]:
    return [{"loss": value} for value in values]


def test_the_best_weights_are_those_of_the_best_evaluation() -> None:
    made = Evaluations(*losses(3, 2, 2, 5), metric_for_best_model="loss")
    assert made.run() == [True, True, False, False]
    best = made.state.best
    assert best is not None
    assert (best.value, best.step, best.epoch) == (2, 20, 0)
    assert best.weights["weight"].tolist() == [[20.0, 20.0]]
    assert made.state.position.stale == 2


def test_higher_is_better_for_accuracy_and_what_is_not_a_number_never_is() -> None:
    values = (math.nan, 0.5, 0.4, math.nan, 0.6)
    metrics = [{"accuracy": value} for value in values]
    made = Evaluations(*metrics, metric_for_best_model="accuracy")
    assert made.run() == [False, True, False, False, True]
    assert made.state.position.stale == 0
    assert isinstance(made.events[0], Evaluated)
    assert made.events[0].metrics["accuracy"] is None


def test_of_equally_good_evaluations_the_one_of_least_loss_is_the_best() -> None:
    metrics = [{"accuracy": 0.5, "loss": loss} for loss in (3.0, 2.0, 2.5, 1.0)]
    made = Evaluations(*metrics, metric_for_best_model="accuracy", early_stopping_patience=4)
    assert made.run() == [True, True, False, True]
    assert made.state.best is not None
    assert (made.state.best.step, made.state.best.value) == (40, 0.5)
    # The metric itself has not improved, which is what early stopping goes by.
    assert made.state.position.stale == 3


def test_the_run_ends_after_as_many_evaluations_without_improvement_as_are_allowed() -> None:
    made = Evaluations(*losses(3, 4, 3), metric_for_best_model="loss", early_stopping_patience=2)
    made.run()
    assert made.validation.stopped_improving()
    assert made.state.ending is Ending.EARLY
    patient = Evaluations(*losses(3, 4, 3), metric_for_best_model="loss")
    patient.run()
    assert not patient.validation.stopped_improving()
    assert patient.state.ending is None


def test_the_same_weights_evaluated_once_more_take_nothing_from_the_patience() -> None:
    metrics = losses(3, 4, 4, 4, 4)
    made = Evaluations(*metrics, metric_for_best_model="loss", early_stopping_patience=2)
    made.state.position.step = 10
    made.validation.run()
    made.state.position.step = 20
    for _ in range(3):  # one that is due, and two requests in a pause
        made.validation.run()
    assert (made.state.position.stale, made.state.ending) == (1, None)
    made.state.position.step = 30
    made.validation.run()
    assert (made.state.position.stale, made.state.ending) == (2, Ending.EARLY)


def test_an_evaluation_that_is_ended_counts_nothing() -> None:
    made = Evaluations(*losses(3), None, metric_for_best_model="loss")
    assert made.run() == [True]
    assert made.state.position.stale == 0
    assert made.state.position.evaluated_step == 10


def test_the_loss_since_the_last_evaluation_is_reported_once() -> None:
    made = Evaluations(*losses(1, 1), metric_for_best_model="loss")
    position = made.state.position
    position.loss_sum, position.loss_weight = 6.0, 4.0
    made.run()
    reported = [event.train_loss for event in made.events if isinstance(event, Evaluated)]
    assert reported == [1.5, None]


@pytest.mark.parametrize(("every", "due"), [(0, [10, 20, 30, 40]), (15, [15, 30, 40]), (100, [40])])
def test_evaluations_are_due_at_the_end_of_epochs_or_every_few_updates(
    every: int, due: list[int]
) -> None:
    made = Evaluations(eval_steps=every, epochs=4)
    position = made.state.position
    found = []
    for position.step in range(41):
        position.batch = position.step % 10
        if made.validation.due():
            found.append(position.step)
    assert found == due
