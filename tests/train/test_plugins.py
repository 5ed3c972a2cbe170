"""A package that adds a model, a task and a data source, installed like any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECTIONS = '''
"""A straight line through a table, and the median of its targets: what can be set."""

from typing import Literal

from engine.config.fields import option
from engine.config.models.base import ModelConfig
from engine.config.tasks.tabular_regression import TabularRegressionConfig


class LineConfig(ModelConfig):
    kind: Literal["line"] = "line"
    title = "straight line"
    tasks = ("tabular_regression", "median_regression")
    implementation = "plugin_of_a_test_training:build_line"

    bias: bool = option(True, "Whether the line may miss the origin")


class MedianConfig(TabularRegressionConfig):
    kind: Literal["median_regression"] = "median_regression"
    title = "Regression to the median"
    models = ("mlp",)
    implementation = "plugin_of_a_test_training:Median"
'''
IMPLEMENTATION = '''
"""Implementations; imported only where a model is trained."""

from torch import nn

from engine.tasks.tabular_regression import TabularRegression


class Line(nn.Module):
    def __init__(self, inputs, outputs, bias):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=bias)

    def forward(self, inputs):
        return self.linear(inputs["numeric"])


def build_line(config, shape):
    return Line(shape.numeric, shape.outputs, config.bias)


class Median(TabularRegression):
    def loss(self, network, batch):
        return (network(batch.inputs).squeeze(1) - batch.targets).abs().mean()
'''
OF_VERSION_0_1 = '''
"""A straight line through a table, the median of its targets, and a table of its own."""

from typing import Any, Literal

from engine.data.section import DataConfig
from engine.fields import option
from engine.models.section import ModelConfig
from engine.tasks.tabular_regression import TabularRegression, TabularRegressionConfig


class LineConfig(ModelConfig):
    kind: Literal["line"] = "line"
    title = "straight line"
    tasks = ("tabular_regression", "median_regression")

    bias: bool = option(True, "Whether the line may miss the origin")

    def build(self, shape: Any) -> Any:
        from torch import nn

        class Line(nn.Module):
            def __init__(self, bias: bool) -> None:
                super().__init__()
                self.linear = nn.Linear(shape.numeric, shape.outputs, bias=bias)

            def forward(self, inputs: Any) -> Any:
                return self.linear(inputs["numeric"])

        return Line(self.bias)


class MedianConfig(TabularRegressionConfig):
    kind: Literal["median_regression"] = "median_regression"
    title = "Regression to the median"
    models = ("mlp",)

    def create(self, config: Any) -> Any:
        return Median(config)


class Median(TabularRegression):
    def loss(self, network: Any, batch: Any) -> Any:
        return (network(batch.inputs).squeeze(1) - batch.targets).abs().mean()
'''
ENTRY_POINTS = """
[dltui.models]
line = plugin_of_a_test:LineConfig
absent = plugin_that_is_not_there:Config
mlp = plugin_of_a_test:LineConfig
[dltui.tasks]
median_regression = plugin_of_a_test:MedianConfig
"""


@pytest.fixture(
    params=[SECTIONS, pytest.param(OF_VERSION_0_1, marks=pytest.mark.slow)],
    ids=["now", "written for 0.1"],
)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Environment variables with which a process finds the package."""
    folder = tmp_path / "site"
    metadata = folder / "plugin_of_a_test-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "plugin_of_a_test.py").write_text(request.param)
    (folder / "plugin_of_a_test_training.py").write_text(IMPLEMENTATION)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: plugin-of-a-test\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    return os.environ | {"PYTHONPATH": str(folder)}


def dltui(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "tui", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines))
    return path


def test_a_model_and_a_task_of_another_package_train_and_predict(
    environment: dict[str, str], tmp_path: Path
) -> None:
    preset = write(
        tmp_path / "line.toml",
        '[task]\nkind = "median_regression"',
        '[data]\nkind = "builtin"\nname = "diabetes"',
        '[model]\nkind = "line"\nbias = false',
        "[train]\nmax_steps = 20\n[compute]\nthreads = 1",
    )
    ran = dltui(environment, "run", str(preset))
    assert ran.returncode == 0, ran.stderr
    (run,) = json.loads(dltui(environment, "runs", "--json").stdout)
    assert (run["task"], run["state"]) == ("median_regression", "finished")
    row = dltui(environment, "show", run["id"], "--json")
    assert json.loads(row.stdout)["config"]["model"]["bias"] is False


def test_what_other_packages_offer_is_listed_where_ours_is(environment: dict[str, str]) -> None:
    code = (
        "from tui.screens.new_run.choices import kinds;"
        "from engine.config.models.registry import MODELS;"
        "print(*kinds('model', 'tabular_regression'), *MODELS.broken, sep='|')"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "tabm|mlp|line|absent|mlp of plugin-of-a-test"


def test_a_broken_one_is_reported_when_it_is_asked_for(
    environment: dict[str, str], tmp_path: Path
) -> None:
    preset = write(
        tmp_path / "absent.toml",
        '[task]\nkind = "tabular_regression"',
        '[data]\nkind = "builtin"\nname = "diabetes"',
        '[model]\nkind = "absent"',
    )
    ran = dltui(environment, "run", str(preset))
    assert ran.returncode == 2
    assert "model absent cannot be used: plugin-of-a-test fails" in ran.stderr


def test_a_model_is_refused_for_a_task_that_it_is_not_for(environment: dict[str, str]) -> None:
    ran = dltui(environment, "run", "wine-mlp", "model.kind=line")
    assert ran.returncode == 2
    assert "line does not suit the task tabular_classification" in ran.stderr
