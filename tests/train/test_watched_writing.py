"""A checkpoint or an export that hangs is seen by the watch on the training."""

from __future__ import annotations

import json
from typing import Any

import pytest

import engine.training.conclusion as conclusion
from engine import RunConfig, train
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.training import checkpoint


@pytest.mark.parametrize(("module", "name"), [(conclusion, "export"), (checkpoint, "save")])
def test_the_watch_has_a_limit_while_a_model_or_a_checkpoint_is_written(
    module: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RunConfig.parse(
        {"name": "table", "task": {"kind": "tabular_classification"},
         "data": {"kind": "builtin", "name": "iris"}, "model": {"kind": "mlp", "hidden": [8]},
         "train": {"epochs": 2, "stall_minutes": 5}, "compute": {"device": "cpu"}}
    )  # fmt: skip
    run = RunDirectory.create(runs_folder(), config)
    limits, write = [], getattr(module, name)

    def noted(*arguments: Any) -> Any:
        limits.append(json.loads((run.path / "marks").read_text())[2])
        return write(*arguments)

    monkeypatch.setattr(module, name, noted)
    train(config, run)
    assert limits[-1] == 6 * 5 * 60
    assert not (run.path / "marks").exists()
