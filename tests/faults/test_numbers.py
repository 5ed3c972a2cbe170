"""Memory that runs out during an update, and numbers that are not finite."""

from __future__ import annotations

import copy
import math
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine import RunConfig, train
from engine.errors import TrainingError
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.runs.events import Failed
from engine.runs.follower import read_history
from engine.runs.status import State
from engine.tasks.create import create_task
from engine.training.checkpoints import checkpoint
from engine.training.optimization.non_finite import Guard

STEPS = 24
KINDS: dict[str, dict[str, Any]] = {
    "table": {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "wine"},
        "model": {"kind": "mlp", "hidden": [256, 64], "dropout": 0.0},
    },
    "images": {
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin", "name": "digits", "max_samples": 200},
        "model": {"kind": "cnn", "channels": [4, 4], "dropout": 0.0},
    },
    "series": {
        "task": {"kind": "forecasting", "window": 24, "horizon": 6},
        "data": {"kind": "builtin", "name": "seasons", "max_samples": 200},
        "model": {"kind": "dlinear"},
    },
}
FULL_MEMORY = "memory that ends in an update"
NOT_FINITE = "NaN or infinity in losses or gradients"


def config(kind: str, **train: Any) -> RunConfig:
    values = copy.deepcopy(KINDS[kind]) | {
        "name": kind,
        "train": {"batch_size": 32, "epochs": 1000, "max_steps": STEPS, "eval_steps": 6} | train,
        "compute": {"device": "cpu", "threads": 1, "precision": "float32"},
    }
    return RunConfig.parse(values)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


Harm = Callable[[nn.Module], None]
Trained = tuple[RunDirectory, nn.Module]


def trained(config: RunConfig, harm: Harm = lambda network: None) -> Trained:
    """A run in whose network ``harm`` injects a fault, and its network at the end."""
    kind = type(create_task(config))
    build = kind.build_network
    made: list[nn.Module] = []

    def harmed(self: Any, fitted: Any) -> nn.Module:
        network = build(self, fitted)
        if next(network.parameters()).device.type != "meta":  # an estimate allocates no memory
            made.append(network)
            harm(network)
        return network

    run = RunDirectory.create(runs_folder(), config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "build_network", harmed)
        train(config, run)
    return run, made[-1]


def layers(network: nn.Module) -> list[nn.Module]:
    return [part for part in network.modules() if isinstance(part, nn.Linear | nn.Conv2d)]


class Full:
    """Memory for ``rows`` rows at one layer of a network, in training or always."""

    def __init__(self, rows: int, layer: int, backward: bool, always: bool) -> None:
        self.rows = rows
        self.layer = layer
        self.backward = backward
        self.always = always
        self.largest = 0

    def __call__(self, network: nn.Module) -> None:
        parts = layers(network)
        part = parts[self.layer % len(parts)]
        if self.backward:
            part.register_full_backward_hook(lambda _, gradients, outputs: self.look(outputs))
        else:
            part.register_forward_pre_hook(
                lambda part, inputs: self.look(inputs) if part.training or self.always else None
            )

    def look(self, tensors: tuple[Tensor, ...]) -> None:
        rows = len(tensors[0])
        if rows > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.largest = max(self.largest, rows)


def warnings(run: RunDirectory) -> list[str]:
    return [log.message for log in read_history(run).log if log.level == "warning"]


def run_out_of_memory(seed: int) -> None:
    """Run out of memory beyond some rows: the run makes the same updates in micro-batches."""
    chance = random.Random(seed)
    kind = chance.choice(list(KINDS))
    values = config(
        kind,
        optimizer="sgd",
        learning_rate=0.01,
        gradient_accumulation_steps=chance.choice((1, 2)),
    )
    full = Full(
        rows=chance.randint(1, 31),
        layer=chance.randrange(4),
        backward=chance.random() < 0.5,
        always=chance.random() < 0.5,
    )
    whole, network = trained(values)

    run, harmed = trained(values, full)

    assert run.status.state() is State.FINISHED
    assert 0 < full.largest <= full.rows
    pieces = [
        int(found[1])
        for words in warnings(run)
        if (found := re.search(r"^Out of memory: .* (\d+) micro-batches", words))
    ]
    assert pieces == [2**n for n in range(1, 1 + math.ceil(math.log2(32 / full.rows)))]
    steps = [event.step for event in read_history(run).evaluations]
    assert steps == [event.step for event in read_history(whole).evaluations]
    if kind == "images":
        return  # a batch norm normalizes each micro-batch separately
    for one, other in zip(harmed.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def run_out_of_memory_for_one(seed: int) -> None:
    """Run out of memory for a single row: the run ends with an estimate and remedies."""
    kind = ("table", "series", "images")[seed % 3]
    with pytest.raises(TrainingError, match="not even one sample") as caught:
        trained(config(kind, save_steps=1), Full(0, seed, backward=seed % 2 == 0, always=False))
    told = str(caught.value)
    (run,) = runs_folder().iterdir()
    assert isinstance(last := RunDirectory(run).events.last(), Failed)
    assert last.message == told
    assert not last.report, "it is no mistake of the program"
    total, *parts = (float(size.replace(",", "")) for size in re.findall(r"([\d.,]+) MB", told))
    assert total == pytest.approx(sum(parts), abs=0.1 * len(parts))
    if kind == "table":
        assert min(parts[:3]) > 0.0
    assert "compute.precision=bfloat16" in told
    field = {"images": "task.image_size", "series": "task.window"}.get(kind, "fewer columns")
    assert field in told


class Poison:
    """Injects a value into the output or a gradient of some updates, counted from 1."""

    def __init__(self, updates: set[int], value: float, gradient: bool) -> None:
        self.updates = updates
        self.value = value
        self.gradient = gradient
        self.count = 0

    def __call__(self, network: nn.Module) -> None:
        network.register_forward_pre_hook(self.begin)
        if self.gradient:
            next(network.parameters()).register_hook(self.poisoned)
        else:
            network.register_forward_hook(
                lambda network, _, output: self.poisoned(output) if network.training else output
            )

    def begin(self, network: nn.Module, _: object) -> None:
        self.count += network.training

    def poisoned(self, tensor: Tensor) -> Tensor:
        return torch.full_like(tensor, self.value) * tensor if self.bad() else tensor

    def bad(self) -> bool:
        return self.count in self.updates


def left_out(patch: pytest.MonkeyPatch, updates: set[int]) -> None:
    """Skip some updates of a run without a fault."""
    step, count = Guard.step, 0

    def some(guard: Guard, losses: Any, norm: Any) -> None:
        nonlocal count
        count += 1
        if count in updates:
            guard.undo()
        else:
            step(guard, losses, norm)

    patch.setattr(Guard, "step", some)


def poison(seed: int) -> None:
    """Inject NaN or infinity into some updates: the run equals one that skipped them."""
    chance = random.Random(seed)
    updates = set(chance.sample(range(1, STEPS + 1), chance.randint(1, 8)))
    harm = Poison(updates, chance.choice((math.nan, math.inf, -math.inf)), chance.random() < 0.5)
    values = config(chance.choice(list(KINDS)))
    if values.model.kind != "dlinear":
        values = values.override(["model.dropout=0.3"])
    if values.model.kind == "mlp":
        values = values.override(["model.normalization=batch"])
    with pytest.MonkeyPatch.context() as patch:
        left_out(patch, updates)
        whole, network = trained(values)

    run, harmed = trained(values, harm)

    assert run.status.state() is State.FINISHED
    told = [re.match(r"(\d+) updates? up to", words) for words in warnings(run)]
    assert sum(int(found[1]) for found in told if found) == len(updates)
    state, other = harmed.state_dict(), network.state_dict()
    torch.testing.assert_close(state, other, rtol=0, atol=0)
    measured = [event.metrics for event in read_history(run).evaluations]
    assert measured == [event.metrics for event in read_history(whole).evaluations]


def poison_for_good(seed: int) -> None:
    """Inject NaN into all updates from some on: the run fails or goes back, and reports it."""
    begin = random.Random(seed).randint(6, 12)
    gradient, norm = ((True, 0.0), (True, 1.0), (False, 0.0), (False, 1.0))[seed % 4]
    values = config("table", save_steps=3, max_bad_steps=2, max_grad_norm=norm)
    harm = Poison(set(range(begin, 1000)), math.nan, gradient)
    with pytest.raises(TrainingError, match=r"no longer a finite number.*train\.learning_rate"):
        trained(values, harm)
    (path,) = runs_folder().iterdir()
    run = RunDirectory(path)
    assert isinstance(last := run.events.last(), Failed)
    assert not last.report
    finite(run, begin)

    train(run.config.read(), run)  # without the fault, it resumes

    assert run.status.state() is State.FINISHED


def finite(run: RunDirectory, begin: int) -> None:
    """The newest checkpoint is from before the fault, or undamaged by it."""
    found, state, damaged = checkpoint.load_newest(run.checkpoints)
    assert found is not None
    assert found.step >= begin - 3
    assert not damaged
    weights = [value for value in state["network"].values() if value.is_floating_point()]
    assert all(value.isfinite().all() for value in weights)


@pytest.mark.harm(FULL_MEMORY, 1)
@pytest.mark.parametrize("seed", [1])
def test_memory_that_ends_changes_no_update(seed: int) -> None:
    run_out_of_memory(seed)


@pytest.mark.harm(FULL_MEMORY, 1)
@pytest.mark.faults
@pytest.mark.parametrize("seed", [0, 2, 3, 4, 5, 6, 7])
def test_memory_ends_anywhere(seed: int) -> None:
    run_out_of_memory(seed)


@pytest.mark.harm(FULL_MEMORY, 1)
@pytest.mark.parametrize("seed", range(1))
def test_memory_for_less_than_a_sample_ends_a_run_with_an_estimate(seed: int) -> None:
    run_out_of_memory_for_one(seed)


@pytest.mark.harm(FULL_MEMORY, 1)
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(1, 4))
def test_memory_for_less_than_a_sample_anywhere(seed: int) -> None:
    run_out_of_memory_for_one(seed)


@pytest.mark.harm(NOT_FINITE, 1)
@pytest.mark.parametrize("seed", range(2))
def test_updates_of_bad_numbers_are_as_if_they_had_not_been(seed: int) -> None:
    poison(seed)


@pytest.mark.harm(NOT_FINITE, 1)
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(2, 9))
def test_bad_numbers_anywhere(seed: int) -> None:
    poison(seed)


@pytest.mark.harm(NOT_FINITE, 1)
@pytest.mark.parametrize("seed", range(1))
def test_numbers_that_stay_bad_end_a_run_that_can_resume(seed: int) -> None:
    poison_for_good(seed)


@pytest.mark.harm(NOT_FINITE, 1)
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(1, 4))
def test_numbers_that_stay_bad_from_anywhere_on(seed: int) -> None:
    poison_for_good(seed)
