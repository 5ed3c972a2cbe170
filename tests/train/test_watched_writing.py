"""The watch on a training sees a checkpoint, an export or a final evaluation that hangs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import engine.training.conclusion as conclusion
import engine.training.evaluation as evaluation
from engine import RunConfig, train
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.training.checkpoints import checkpoint


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


def test_each_batch_of_the_final_evaluation_is_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = RunConfig.parse(
        {"name": "table", "task": {"kind": "tabular_classification"},
         "data": {"kind": "builtin", "name": "iris"}, "model": {"kind": "mlp", "hidden": [8]},
         "train": {"epochs": 2, "batch_size": 4, "stall_minutes": 5}, "compute": {"device": "cpu"}}
    )  # fmt: skip
    run = RunDirectory.create(runs_folder(), config)
    marks: list[list[float]] = []
    batches, evaluations = evaluation.batches_of, conclusion._final_evaluations

    def noted(*arguments: Any) -> Iterator[Any]:
        for batch in batches(*arguments):
            marks.append(json.loads((run.path / "marks").read_text()))
            yield batch

    def final(*arguments: Any) -> Any:
        monkeypatch.setattr(evaluation, "batches_of", noted)
        return evaluations(*arguments)

    monkeypatch.setattr(conclusion, "_final_evaluations", final)
    train(config, run)
    assert len({signs for _, signs, _ in marks}) == len(marks) >= 3
    assert {limit for *_, limit in marks} == {5 * 60}
