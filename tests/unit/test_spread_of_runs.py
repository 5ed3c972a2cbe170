"""Runs that differ by chance alone: which they are, and the spread of their metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.config.metric import Metric
from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.runs.directory import RunDirectory
from engine.runs.spread import Alike, Spread, alike
from engine.runs.status import State
from engine.runs.summary import RunSummary

CONFIG = load_preset(find_preset("wine-mlp"))
METRICS = [Metric("accuracy"), Metric("loss", higher_is_better=False)]


def groups(changes: Sequence[list[str]], **values: Sequence[float | None]) -> list[Alike]:
    """The groups of runs with these changes of a preset, and these values of their metrics."""
    configs: list[RunConfig] = [CONFIG.override(some) for some in changes]
    runs = [
        RunSummary(
            RunDirectory(Path(f"run-{place}")), "", State.FINISHED, 0.0, 1.0,
            metrics={name: value for name, found in values.items()
                     if (value := found[place]) is not None},
        )
        for place in range(len(configs))
    ]  # fmt: skip
    return list(alike(configs, runs, METRICS))


def test_runs_with_other_seeds_are_one_group_beside_other_methods() -> None:
    changes = [
        ["train.seed=1"], ["train.seed=1", "train.epochs=3"], ["train.seed=2"],
        ["train.seed=5", "name=another"], ["train.seed=2", "train.epochs=3"], ["train.epochs=4"],
    ]  # fmt: skip
    first, second = groups(changes, accuracy=[0.5, 0.25, 0.75, 1.0, 0.25, 0.0])
    assert (first.places, second.places) == ((0, 2, 3), (1, 4))
    assert first.differ_by == second.differ_by == ("train.seed",)
    assert first.metrics == {"accuracy": Spread(0.75, 0.25, 3)}  # √((0.25² + 0 + 0.25²) / 2)
    assert second.metrics == {"accuracy": Spread(0.25, 0.0, 2)}


def test_every_field_of_chance_that_differs_is_named() -> None:
    fields = ["train.seed", "data.split_seed", "data.fold"]
    changes = [[f"{field}={value}" for field in fields] for value in (1, 2)]
    [group] = groups([["data.folds=3", *some] for some in changes])
    assert group.differ_by == tuple(fields)
    assert "2 runs that differ by train.seed, data.split_seed, data.fold" in group.title
    assert group.record(["a", "b"])["runs"] == ["a", "b"]


def test_the_same_run_twice_shows_no_spread() -> None:
    assert groups([["train.seed=1"], ["train.seed=1"]], accuracy=[0.5, 0.5]) == []


def test_metrics_are_those_of_the_runs_that_have_them() -> None:
    changes = [[f"train.seed={seed}"] for seed in range(4)]
    [group] = groups(changes, accuracy=[1.0, None, math.nan, 3.0], loss=[None, 2.0, math.inf, None])
    # √((1² + 1²) / 1) = √2; of the loss there is one finite value, which has no spread.
    assert set(group.metrics) == {"accuracy"}
    assert group.metrics["accuracy"].mean == 2.0
    assert group.metrics["accuracy"].deviation == pytest.approx(math.sqrt(2))
    assert group.metrics["accuracy"].runs == 2


@pytest.mark.parametrize(
    ("mean", "deviation", "text"),
    [
        (0.75, 0.25, "0.75 ± 0.25"),
        (0.912347, 0.000123, "0.91235 ± 0.00012"),
        (123_456.0, 12.0, "123456 ± 12"),
        (123_456.0, 1_234.0, "1.235e+05 ± 1234"),
        (5.0, 99.7, "5 ± 100"),
        (-52.345678, 0.0123, "-52.346 ± 0.012"),
        (0.0, 0.5, "0 ± 0.5"),
        (1 / 3, 0.0, "0.3333 ± 0"),
        (1 / 3, 1e-17, "0.333333333333 ± 1e-17"),
    ],
)
def test_a_mean_has_digits_down_to_those_of_its_deviation(
    mean: float, deviation: float, text: str
) -> None:
    assert Spread(mean, deviation, 3).text == text
