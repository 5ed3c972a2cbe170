"""The moving average of the weights is evaluated and exported, and the weights train on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import RunConfig, train
from engine.artifacts.model_folder import load_exported
from engine.errors import ConfigError
from engine.runs.events import Evaluated
from engine.training import trainer as loop
from engine.training.checkpoints.state import TrainingState

DIGITS: dict[str, Any] = {
    "task": {"kind": "image_classification"},
    "data": {"kind": "builtin", "name": "digits", "max_samples": 200},
    "model": {"kind": "cnn", "channels": [8]},
    "train": {"epochs": 2, "batch_size": 32, "ema_decay": 0.8, "max_grad_norm": 0.0},
    "compute": {"device": "cpu", "threads": 1},
}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """The weights after each update of a training."""
    weights: list[dict[str, Tensor]] = []
    update = loop.update_average

    def noted(state: TrainingState, decay: float) -> None:
        weights.append({name: value.clone() for name, value in state.network.state_dict().items()})
        update(state, decay)

    monkeypatch.setattr(loop, "update_average", noted)
    return weights


def averages(first: dict[str, Tensor], updates: list[dict[str, Tensor]], decay: float) -> Any:
    average = {name: value.double() for name, value in first.items() if value.is_floating_point()}
    for step, weights in enumerate(updates):
        keep = min(decay, (1 + step) / (10 + step))
        average = {
            name: keep * value + (1 - keep) * weights[name].double()
            for name, value in average.items()
        }
    return average


def test_the_average_follows_its_formula_and_leaves_the_training_as_it_is(
    bench: Callable[..., Any], recorded: list[dict[str, Tensor]]
) -> None:
    made = bench(DIGITS)
    first = {name: value.clone() for name, value in made.state.network.state_dict().items()}
    made.trainer.run()
    expected = averages(first, recorded, 0.8)
    assert made.state.average.keys() == expected.keys()
    for name, value in made.state.average.items():
        assert torch.allclose(value.double(), expected[name], atol=1e-6), name
    without = bench(DIGITS | {"train": DIGITS["train"] | {"ema_decay": 0.0}})
    without.trainer.run()
    assert all(map(torch.equal, made.weights(), without.weights()))


def test_evaluations_and_the_best_weights_are_those_of_the_average(
    bench: Callable[..., Any], recorded: list[dict[str, Tensor]]
) -> None:
    made = bench(DIGITS)
    first = {name: value.clone() for name, value in made.state.network.state_dict().items()}
    made.trainer.run()
    best = made.state.best
    expected = averages(first, recorded[: best.step], 0.8)
    for name, value in expected.items():
        assert torch.allclose(best.weights[name].double(), value, atol=1e-6), name
    made.state.take_best()
    assert made.state.average is None
    assert made.trainer.evaluator.evaluate(made.trainer.validation._source, "validation").metrics[
        "loss"
    ] == pytest.approx(
        next(e for e in made.of(Evaluated) if e.step == best.step).metrics["loss"], rel=1e-4
    )


def test_without_a_validation_split_the_average_is_exported(
    recorded: list[dict[str, Tensor]],
) -> None:
    run = train(RunConfig.parse(DIGITS).override(["data.validation_fraction=0"]))
    assert "test" in json.loads(run.report.path.read_text())["metrics"]
    _, _, network = load_exported(run.model, torch.device("cpu"))
    exported, last = network.state_dict(), recorded[-1]
    assert not torch.equal(exported["head.weight"], last["head.weight"])
    state = torch.stack([weights["head.weight"].double() for weights in recorded])
    # The average lies among the last weights.
    assert bool((exported["head.weight"] >= state.amin(0) - 1e-6).all())
    assert bool((exported["head.weight"] <= state.amax(0) + 1e-6).all())


def test_shards_are_not_averaged() -> None:
    with pytest.raises(ConfigError, match="sharded weights are not averaged"):
        RunConfig.parse(DIGITS).override(["train.strategy=fsdp"])
