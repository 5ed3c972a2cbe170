"""Tasks of plug-ins that override methods of version 0.1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from engine.metrics.evaluator import Evaluation
from engine.tasks.earlier_methods import in_current_terms
from engine.tasks.shown_samples import ShownSamples
from engine.tasks.tabular_regression import TabularRegression

CPU = torch.device("cpu")
ROWS = {"x": [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.0, 6.0, 8.0]}


class Earlier(TabularRegression):
    """Every method of version 0.1 that has another name now."""

    def baseline(self, raw: Any, fitted: Any) -> tuple[str, Evaluation]:
        return "always 5", Evaluation({"mae": float(raw.train.num_rows)})

    def samples(self, network: Any, source: Any, fitted: Any) -> Any:
        return [{"rows": str(len(source))}]

    def save_network(self, network: Any, fitted: Any, folder: Path) -> None:
        torch.save(network.state_dict(), folder / "own.pt")

    def load_network(self, fitted: Any, folder: Path) -> Any:
        network = self.build_network(fitted)
        network.load_state_dict(torch.load(folder / "own.pt", weights_only=True))
        return network

    def save_companions(self, fitted: Any, folder: Path) -> None:
        (folder / "target.txt").write_text(fitted.target)

    def call_arguments(self, batch: Any) -> Any:
        return (), {"inputs": batch.inputs}

    def parameter_groups(self, network: nn.Module) -> Any:
        return [{"params": list(network.parameters()), "lr_scale": 0.5}]


@pytest.fixture
def earlier(configure: Callable[..., Any]) -> Any:
    task = Earlier(configure("tabular_regression", ROWS, target="y"))
    with pytest.warns(DeprecationWarning, match="is now") as told:
        adapted = in_current_terms(task)
    assert {str(one.message) for one in told} == {
        "Earlier.baseline is now baselines.",
        "Earlier.save_network is now files.",
        "Earlier.load_network is now files.",
        "Earlier.save_companions is now files.",
        "Earlier.call_arguments is now deployment.",
        "Earlier.parameter_groups is now build_network.",
    }
    return adapted


def test_methods_of_version_0_1_are_called_by_their_successors(
    earlier: Any, tmp_path: Path
) -> None:
    raw = earlier.pipeline.load()
    fitted = earlier.pipeline.fit(raw)
    [baseline] = earlier.baselines(raw, fitted)
    assert (baseline.name, baseline.evaluation.metrics) == ("always 5", {"mae": 4.0})
    source = earlier.encode(raw.train, fitted, CPU, print)
    network = earlier.build_network(fitted).eval()
    assert earlier.samples(network, source, fitted) == ShownSamples([{"rows": "4"}])
    [group] = network.parameter_groups()
    assert group["lr_scale"] == 0.5
    [batch] = source.read(source.plan(4))
    assert earlier.deployment().arguments(batch) == ((), {"inputs": batch.inputs})
    files = earlier.files(fitted)
    files.save(network, tmp_path)
    files.companions(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["own.pt", "target.txt"]
    loaded = files.load(lambda: earlier.build_network(fitted), tmp_path)
    assert torch.equal(loaded.eval()(batch.inputs), network(batch.inputs))


def test_a_task_in_current_terms_is_left_as_it_is(
    configure: Callable[..., Any], recwarn: pytest.WarningsRecorder
) -> None:
    task = TabularRegression(configure("tabular_regression", ROWS, target="y"))
    before = dict(vars(task))
    assert in_current_terms(task) is task
    assert vars(task) == before
    assert not recwarn.list
