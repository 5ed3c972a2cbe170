"""Events during a run: requests, full memory, numbers that are not finite."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import engine.training.progress as module
from engine import RunConfig, train
from engine.errors import TrainingError
from engine.runs.control import CONTINUE, EPOCHS, EVALUATE, LEARNING_RATE, PAUSE, STOP, Request
from engine.runs.directory import RunDirectory
from engine.runs.events import (
    CheckpointSaved,
    Controlled,
    Evaluated,
    Event,
    EventLog,
    Log,
    Progress,
)
from engine.runs.follower import read_history
from engine.training.checkpoint_writer import Saver
from engine.training.checkpoints import checkpoint
from engine.training.checkpoints.state import Ending, Position, TrainingState
from engine.training.loss_meter import Meter
from engine.training.memory.out_of_memory import in_pieces
from engine.training.optimization.clipping import clip_gradients
from engine.training.optimization.non_finite import Guard

Make = Callable[..., Any]
Plan = dict[int, list[Request]]


@pytest.fixture(autouse=True)
def always_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)


def wine(**train: Any) -> dict[str, Any]:
    return {
        "name": "wine",
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "wine"},
        "model": {"kind": "mlp", "hidden": [16], "dropout": 0.0},
        "train": {"epochs": 3, "batch_size": 32, "eval_steps": 1000} | train,
        "compute": {"device": "cpu", "threads": 1},
    }


def at(plan: Plan) -> Callable[[TrainingState], Iterator[Request]]:
    """A function that yields the requests planned for an update, each once."""
    left = {step: list(requests) for step, requests in plan.items()}

    def ask(state: TrainingState) -> Iterator[Request]:
        yield from left.pop(state.position.step, [])

    return ask


def answers(made: Any) -> list[tuple[str, bool]]:
    return [(event.request, event.accepted) for event in made.of(Controlled)]


def rates(made: Any) -> list[float]:
    return [event.learning_rate for event in made.of(Progress) if event.phase == "train"]


def test_a_rate_that_is_asked_for_holds_from_the_next_update_on_and_after_a_restart(
    bench: Make,
) -> None:
    values = wine(learning_rate=0.01, lr_scheduler_type="constant", max_steps=6, save_steps=4)
    made = bench(values, requests=at({3: [Request(LEARNING_RATE, {"value": 0.002})]}))
    made.trainer.run()
    assert rates(made) == pytest.approx([0.01] * 3 + [0.002] * 3)
    assert answers(made) == [(LEARNING_RATE, True)]
    changed, saved = (state for _, state in made.saved)
    assert changed["position"]["step"] == 3, "the change is kept at once"
    rest = bench(values, saved=saved)
    rest.trainer.run()
    assert rates(rest) == pytest.approx([0.002] * 2)


@pytest.mark.parametrize("value", [0, -1, 1e9, "fast", True, None, float("nan")])
def test_a_rate_that_is_none_is_refused(bench: Make, value: object) -> None:
    made = bench(wine(max_steps=4), requests=at({2: [Request(LEARNING_RATE, {"value": value})]}))
    before = bench(wine(max_steps=4))
    made.trainer.run()
    before.trainer.run()
    assert answers(made) == [(LEARNING_RATE, False)]
    assert rates(made) == rates(before)


def test_epochs_that_are_added_stretch_what_is_left_of_the_schedule(bench: Make) -> None:
    values = wine(epochs=2, learning_rate=1.0, lr_scheduler_type="linear", max_grad_norm=0.1)
    steps = bench(values).trainer.schedule.steps
    half = steps // 2
    made = bench(values, requests=at({half: [Request(EPOCHS, {"value": 5})]}))
    assert made.trainer.run() is Ending.COMPLETED
    assert answers(made) == [(EPOCHS, True)]
    assert made.state.position.epoch == 5
    told = rates(made)
    assert len(told) == 5 * half
    assert told == sorted(told, reverse=True)
    assert told[half] == pytest.approx(0.5)
    assert told[-1] == pytest.approx(0.5 / (4 * half))
    assert {event.epochs for event in made.of(Progress)} == {2, 5}
    assert made.of(Progress)[-1].steps == 5 * half


def test_changed_epochs_are_kept_by_a_checkpoint(bench: Make) -> None:
    values = wine(epochs=2, save_steps=6)
    made = bench(values, requests=at({2: [Request(EPOCHS, {"value": 3})], 6: [Request(STOP)]}))
    made.trainer.run()
    whole = bench(values, requests=at({2: [Request(EPOCHS, {"value": 3})]}))
    whole.trainer.run()
    rest = bench(values, saved=made.saved[-1][1])
    rest.trainer.run()
    assert rest.state.position.step == whole.state.position.step
    for one, other in zip(rest.weights(), whole.weights(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("train", "value", "words"),
    [
        ({}, 0, "whole number"),
        ({}, 2.5, "whole number"),
        ({}, 1, "under way or done"),
        ({"max_steps": 9}, 50, "train.max_steps"),
    ],
)
def test_epochs_that_cannot_be_are_refused_with_the_reason(
    bench: Make, train: dict[str, Any], value: float, words: str
) -> None:
    made = bench(wine(**train), requests=at({5: [Request(EPOCHS, {"value": value})]}))
    made.trainer.run()
    (answer,) = made.of(Controlled)
    assert not answer.accepted
    assert words in answer.message


def test_a_paused_run_waits_hears_and_continues_to_the_same_end(bench: Make) -> None:
    whole = bench(wine())
    whole.trainer.run()
    looks = 0

    def ask(state: TrainingState) -> Iterator[Request]:
        nonlocal looks
        if state.position.step != 3:
            return
        looks += 1
        yield from {1: [Request(PAUSE)], 2: [Request(EVALUATE)], 3: [Request(CONTINUE)]}.get(
            looks, []
        )

    made = bench(wine(), requests=ask)
    assert made.trainer.run() is Ending.COMPLETED
    assert answers(made) == [(PAUSE, True), (EVALUATE, True), (CONTINUE, True)]
    assert [event.step for event in made.of(Progress) if event.phase == "paused"] == [3]
    assert [event.step for event in made.of(Evaluated)][:1] == [3]
    for one, other in zip(made.weights(), whole.weights(), strict=True):
        assert torch.equal(one, other)


def test_an_evaluation_in_a_pause_is_at_the_time_of_the_training(bench: Make) -> None:
    asked = iter([[Request(PAUSE)], [], [Request(EVALUATE)], [Request(CONTINUE)]])

    def ask(state: TrainingState) -> Iterator[Request]:
        if state.position.step == 3:
            yield from next(asked, [])

    made = bench(wine(max_steps=5), requests=ask)
    made.trainer.run()
    times = [event.seconds for event in made.events if isinstance(event, Progress | Evaluated)]
    assert [event.step for event in made.of(Evaluated)] == [3, 5]
    assert times == sorted(times), "a pause is no time of the training"


def test_a_paused_run_can_be_stopped(bench: Make) -> None:
    looks = iter(range(100))

    def ask(state: TrainingState) -> Iterator[Request]:
        if state.position.step == 2:
            yield Request(PAUSE) if next(looks) == 0 else Request(STOP)

    made = bench(wine(), requests=ask)
    assert made.trainer.run() is Ending.STOPPED
    assert made.state.position.step == 2


def test_a_paused_run_obeys_the_system(bench: Make) -> None:
    paused = False

    def ask(state: TrainingState) -> Iterator[Request]:
        nonlocal paused
        if state.position.step == 2 and not paused:
            paused = True
            yield Request(PAUSE)

    made = bench(wine(), requests=ask, interrupted=lambda state: paused)
    assert made.trainer.run() is Ending.INTERRUPTED
    assert made.state.position.step == 2


class Small:
    """Memory for ``rows`` rows: a larger batch raises torch's out-of-memory error."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.largest = 0

    def __call__(self, network: nn.Module, arguments: tuple[Any, ...]) -> None:
        rows = len(arguments[0]["numeric"])
        if rows > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.largest = max(self.largest, rows)


def test_full_memory_cuts_batches_and_changes_no_update(bench: Make) -> None:
    values = wine(batch_size=32, gradient_accumulation_steps=2, epochs=4)
    whole = bench(values)
    whole.trainer.run()
    made = bench(values)
    small = Small(rows=9)
    made.state.network.register_forward_pre_hook(small)
    assert made.trainer.run() is Ending.COMPLETED
    assert small.largest <= 9
    assert made.state.position.pieces == 4
    assert made.state.position.step == whole.state.position.step
    told = [event.message for event in made.of(Log)]
    assert [text.partition(":")[0] for text in told] == ["Out of memory"] * 2
    for one, other in zip(made.weights(), whole.weights(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_what_memory_allowed_is_remembered(bench: Make) -> None:
    whole = bench(wine())
    whole.state.network.register_forward_pre_hook(Small(rows=16))
    whole.trainer.run()
    first = bench(wine(), interrupted=lambda state: state.position.step == 2)
    first.state.network.register_forward_pre_hook(Small(rows=16))
    first.trainer.run()
    rest = bench(wine(), saved=first.state.state_dict())
    rest.state.network.register_forward_pre_hook(Small(rows=16))
    rest.trainer.run()
    assert len(first.of(Log)) == 1
    assert rest.of(Log) == []
    for one, other in zip(rest.weights(), whole.weights(), strict=True):
        assert torch.equal(one, other)


def test_memory_for_less_than_a_sample_ends_the_run_with_advice(bench: Make) -> None:
    made = bench(wine())
    made.state.network.register_forward_pre_hook(Small(rows=0))
    with pytest.raises(TrainingError, match=r"not even one sample.*adapter\.method=lora"):
        made.trainer.run()


def test_an_evaluation_too_large_for_the_memory_takes_smaller_batches(bench: Make) -> None:
    made = bench(wine(batch_size=8, epochs=1))
    whole = bench(wine(batch_size=8, epochs=1))
    whole.trainer.run()

    def full(network: nn.Module, arguments: tuple[Any, ...]) -> None:
        if not network.training and len(arguments[0]["numeric"]) > 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to …")

    made.state.network.register_forward_pre_hook(full)
    made.trainer.run()
    (one,), (other,) = made.of(Evaluated), whole.of(Evaluated)
    assert one.metrics == pytest.approx(other.metrics, rel=1e-5)


def test_another_error_of_the_network_is_not_taken_for_full_memory(bench: Make) -> None:
    made = bench(wine())

    def wrong(network: nn.Module, arguments: tuple[Any, ...]) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    made.state.network.register_forward_pre_hook(wrong)
    with pytest.raises(RuntimeError, match="mat1"):
        made.trainer.run()


def test_pieces_hold_every_row_once_in_order() -> None:
    plan = [torch.arange(0, 7), torch.arange(7, 9), torch.arange(9, 10)]
    pieces = in_pieces(plan, 3)
    assert [len(piece) for piece in pieces] == [3, 2, 2, 1, 1, 1]
    assert torch.cat(pieces).tolist() == list(range(10))


class Poison:
    """Makes the network's output NaN in the given updates (counted from 1)."""

    def __init__(self, *updates: int) -> None:
        self.updates = set(updates)
        self.count = 0

    def __call__(self, network: nn.Module, arguments: Any, output: torch.Tensor) -> torch.Tensor:
        if not network.training:
            return output
        self.count += 1
        return output * float("nan") if self.count in self.updates else output


def test_an_update_of_bad_numbers_is_left_out_and_reported(bench: Make) -> None:
    before: list[torch.Tensor] = []

    def heard(event: Event) -> None:
        if isinstance(event, Progress) and event.step == 4:
            before.extend(made.weights())

    values = wine(max_steps=5, optimizer="sgd", momentum=0.0, lr_scheduler_type="constant")
    made = bench(values, heard=heard)
    made.state.network.register_forward_hook(Poison(5))
    assert made.trainer.run() is Ending.COMPLETED
    assert all(torch.equal(a, b) for a, b in zip(before, made.weights(), strict=True))
    (told,) = made.of(Log)
    assert "1 update up to 5 left out" in told.message


def test_bad_numbers_now_and_then_do_not_end_a_run(bench: Make) -> None:
    made = bench(wine(epochs=6, max_bad_steps=2))
    made.state.network.register_forward_hook(Poison(2, 3, 6, 7, 10))
    assert made.trainer.run() is Ending.COMPLETED
    assert all(value.isfinite().all() for value in made.weights())
    assert all(event.train_loss is not None for event in made.of(Evaluated))


def test_too_many_bad_numbers_in_a_row_end_the_run(bench: Make) -> None:
    made = bench(wine(epochs=6, max_bad_steps=2))
    made.state.network.register_forward_hook(Poison(4, 5, 6))
    with pytest.raises(TrainingError, match=r"finite number.*train\.max_rollbacks"):
        made.trainer.run()


def test_a_run_goes_back_to_its_checkpoint_with_a_lower_rate_if_it_may(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine import train
    from engine.runs.follower import read_history
    from engine.tasks.tabular_classification import TabularClassification

    poison = Poison(6, 7, 8)
    build = TabularClassification.build_network

    def poisoned(self: Any, fitted: Any) -> nn.Module:
        network = build(self, fitted)
        network.register_forward_hook(poison)
        return network

    monkeypatch.setattr(TabularClassification, "build_network", poisoned)
    values = wine(
        epochs=4, max_bad_steps=2, max_rollbacks=1, save_steps=4, learning_rate=0.01,
        lr_scheduler_type="constant",
    )  # fmt: skip
    run = train(RunConfig.parse(values))
    history = read_history(run)
    (told,) = [log.message for log in history.log if "resuming from update 4" in log.message]
    assert "(1 of 1 times)" in told
    assert history.progress is not None
    assert history.progress.learning_rate == pytest.approx(0.005)
    assert (run.report.read() or {})["ending"] == "completed"
    steps = [point.step for point in history.curve("loss", "train").points]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("on_device", [True, False], ids=["on the device", "looked at"])
def test_an_update_that_is_left_out_leaves_nothing_in_a_batch_norm(on_device: bool) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, fused=True)
    guarded = Guard(network, optimizer, torch.device("cpu"), on_device)
    norm = network[1]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert norm.running_var is not None

    def update(value: float) -> None:
        guarded.keep()
        loss = network(torch.tensor([[1.0, value], [3.0, 4.0]])).mean()
        loss.backward()
        guarded.step([loss.detach()], None)

    update(2.0)
    before = norm.running_mean.clone(), norm.running_var.clone()
    update(float("nan"))
    assert torch.equal(norm.running_mean, before[0])
    assert torch.equal(norm.running_var, before[1])
    optimizer.zero_grad()
    update(5.0)
    assert not torch.equal(norm.running_mean, before[0])
    assert norm.running_mean.isfinite().all()


def test_an_update_that_found_no_memory_leaves_no_trace() -> None:
    norm = nn.BatchNorm1d(2)
    assert norm.running_mean is not None
    optimizer = torch.optim.SGD(norm.parameters(), lr=0.1)
    guarded = Guard(norm, optimizer, torch.device("cpu"))
    before = norm.running_mean.clone()
    guarded.keep()
    norm(torch.randn(4, 2))
    guarded.undo()
    assert torch.equal(norm.running_mean, before)


def test_what_dropout_draws_does_not_depend_on_where_memory_ended(bench: Make) -> None:
    values = wine()
    values["model"]["dropout"] = 0.5
    weights = []
    for layer in ("first", "last"):
        made = bench(values)
        parts = [part for part in made.state.network.modules() if isinstance(part, nn.Linear)]
        part = parts[0] if layer == "first" else parts[-1]

        def full(part: nn.Module, arguments: tuple[Tensor, ...], **_: Any) -> None:
            if len(arguments[0]) > 9 and part.training:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

        part.register_forward_pre_hook(full)
        made.trainer.run()
        weights.append(made.weights())
    for one, other in zip(*weights, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("limit", [1e-3, 0.5, 1e3])
def test_gradients_are_clipped_to_the_bits_of_torch(limit: float) -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [nn.Parameter(torch.zeros(size)) for size in ((3, 2), (4,))]
    gradients = [torch.rand(part.shape, generator=generator) for part in parts]
    clipped = []
    for clip in (clip_gradients, nn.utils.clip_grad_norm_):
        for part, gradient in zip(parts, gradients, strict=True):
            part.grad = gradient.clone()
        norm = clip(parts, limit)
        clipped.append([norm, *(part.grad for part in parts)])
    for one, other in zip(*clipped, strict=True):
        assert torch.equal(one, other)


def test_how_many_were_bad_in_a_row_does_not_depend_on_when_they_are_fetched() -> None:
    numbers = [1.0, float("nan"), float("inf"), 1.0, float("nan")]
    for every in (1, 2, 5):
        position = Position()
        meter = Meter(position)
        longest = 0
        for count, number in enumerate(numbers, 1):
            meter.add([torch.tensor(number)], [1.0], None)
            if count % every == 0 or count == len(numbers):
                longest = max(longest, meter.fetch()[1])
        assert longest == 2, every
        assert position.bad_updates == 1
        assert position.loss_weight == 2


def test_a_batch_norm_is_never_given_a_single_row(bench: Make) -> None:
    values = wine(batch_size=9, epochs=1)
    values["model"]["normalization"] = "batch"
    made = bench(values)
    made.state.network.register_forward_pre_hook(Small(rows=3))
    assert made.trainer.run() is Ending.COMPLETED
    too_small = bench(values)
    too_small.state.network.register_forward_pre_hook(Small(rows=1))
    with pytest.raises(TrainingError, match="not even"):
        too_small.trainer.run()


@pytest.mark.parametrize("on_device", [True, False], ids=["on the device", "looked at"])
@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
@pytest.mark.parametrize("bad", ["loss", "norm"])
def test_a_guarded_optimizer_ignores_what_is_not_finite(
    on_device: bool, kind: Any, bad: str
) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = kind([weight], lr=0.1, fused=True)
    guarded = Guard(nn.ParameterList([weight]), optimizer, torch.device("cpu"), on_device)
    good, nan = torch.tensor(1.0), torch.tensor(float("nan"))
    weight.grad = torch.ones(3)
    guarded.step([good], good)
    after = weight.detach().clone()
    assert not torch.equal(after, torch.ones(3))
    weight.grad = torch.full((3,), float("inf"))
    guarded.step([nan if bad == "loss" else good], nan if bad == "norm" else good)
    assert torch.equal(weight, after)
    weight.grad = torch.ones(3)
    guarded.step([good], good)
    assert weight.isfinite().all()
    assert not torch.equal(weight, after)


def test_a_scheduled_checkpoint_holds_the_state_of_its_update_however_late_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory.create(tmp_path, RunConfig.parse(wine()))
    network = nn.Linear(2, 2)
    state = TrainingState(network, torch.optim.AdamW(network.parameters()))
    go = threading.Event()
    write = checkpoint.save

    def late(*arguments: Any) -> Any:
        go.wait()
        return write(*arguments)

    monkeypatch.setattr(checkpoint, "save", late)
    with EventLog(run.events.path) as events, Saver(run, state, events, keep=2) as saver:
        expected = network.weight.detach().clone()
        saver.save("schedule")
        assert checkpoint.found(run.checkpoints) == []
        with torch.no_grad():
            network.weight.zero_()
        go.set()
    _, saved, _ = checkpoint.load_newest(run.checkpoints)
    assert torch.equal(saved["network"]["weight"], expected)
    assert run.events.last(CheckpointSaved) is not None


def test_a_checkpoint_that_failed_in_the_background_is_reported_by_the_next(
    tmp_path: Path,
) -> None:
    run = RunDirectory.create(tmp_path, RunConfig.parse(wine()))
    network = nn.Linear(2, 2)
    state = TrainingState(network, torch.optim.AdamW(network.parameters()))
    with EventLog(run.events.path) as events:
        saver = Saver(run, state, events, keep=2)
        run.checkpoints.rmdir()
        run.checkpoints.write_text("in the way")
        saver.save("schedule")
        state.position.step = 1
        with pytest.raises(TrainingError, match="Cannot write a checkpoint"):
            saver.save("schedule")


def test_a_disk_too_small_for_the_checkpoints_is_reported_before_the_first_update(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nearly_full = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: nearly_full)
    values = wine(epochs=1, save_steps=1)
    values["model"]["hidden"] = [512, 512]
    run = train(RunConfig.parse(values))
    history = read_history(run)
    warnings = [line for line in history.log if line.level == "warning"]
    assert ["train.save_total_limit" in line.message for line in warnings] == [True]
    assert history.curve("loss", "train").points
    first = next(run.events.newest(CheckpointSaved))
    assert isinstance(first, CheckpointSaved)
    told = float(warnings[0].message.split("take ")[1].split(" MB")[0]) * 1e6
    assert told == pytest.approx(3 * first.size, rel=0.1)


class Writer(nn.Module):
    """A network that generates tokens without an end, like ``generate`` of transformers."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Any) -> Any:
        return self.network(inputs)

    def generate(self, inputs: Any) -> None:
        while True:
            self(inputs)


@pytest.mark.parametrize("how", ["a request", "the system"])
def test_a_text_that_is_written_in_an_evaluation_does_not_hold_up_the_end(
    bench: Make, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    made = bench(
        wine(eval_steps=2),
        requests=at({2: [Request(STOP)]}) if how == "a request" else lambda state: iter(()),
        interrupted=lambda state: how == "the system" and state.position.step >= 2,
    )
    made.state.network = Writer(made.state.network)
    evaluator = type(made.trainer.setup.task.evaluator(made.trainer.setup.fitted))
    update = evaluator.update

    def updated(self: Any, network: Any, batch: Any) -> None:
        update(self, network, batch)
        network.generate(batch.inputs)

    monkeypatch.setattr(evaluator, "update", updated)
    assert made.trainer.run() is (Ending.STOPPED if how == "a request" else Ending.INTERRUPTED)
    assert made.of(Evaluated) == []
    assert made.state.network._forward_pre_hooks == {}
