"""TabICL as a baseline, with small random networks of its class in place of its checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from engine.baselines.gradient_boosting import inputs_and_targets
from engine.data.raw import TEST, VALIDATION
from engine.training.baselines import beside_baselines
from tui.format.run_facts import metrics_table
from tui.format.verdict import judged
from tui.screens.results.metrics import metric_lines

Make = Callable[..., Any]
CLASSES, NUMBERS = "tabular_classification", "tabular_regression"
ASIDE = {"validation_fraction": 0.2, "test_fraction": 0.2}
TINY = {
    "embed_dim": 8, "col_num_blocks": 1, "col_nhead": 2, "col_num_inds": 4, "row_num_blocks": 1,
    "row_nhead": 2, "row_num_cls": 2, "icl_num_blocks": 1, "icl_nhead": 2,
}  # fmt: skip


def rows(kind: str) -> dict[str, list[Any]]:
    x = np.random.default_rng(0).normal(size=(100, 2)).round(4)
    y = x[:, 0] - x[:, 1]
    target = y.round(3).tolist() if kind == NUMBERS else np.where(y > 0, "yes", "no").tolist()
    return {"a": x[:, 0].tolist(), "b": x[:, 1].tolist(), "y": target}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a checkpoint of each kind, as the package names them."""
    tabicl = pytest.importorskip("tabicl")
    from tabicl._model.tabicl import TabICL

    torch.manual_seed(0)
    made = tmp_path / "checkpoints"
    made.mkdir()
    for create, outputs in (
        (tabicl.TabICLClassifier, {"max_classes": 10}),
        (tabicl.TabICLRegressor, {"max_classes": 0, "num_quantiles": 9}),
    ):
        config = TINY | outputs
        named = TabICL(**config).state_dict().items()
        weights = {name: torch.randn_like(weight) / 4 for name, weight in named}
        torch.save({"config": config, "state_dict": weights}, made / create().checkpoint_version)
    return made


def own_predictions(made: Any, folder: Path, seen: Any, asked: Any) -> Any:
    """The predictions of the package itself for the rows at some places."""
    import tabicl

    kind = tabicl.TabICLClassifier if made.task.probabilities else tabicl.TabICLRegressor
    train, held_out = made.task.held_out(made.raw, made.fitted)
    path = folder / kind().checkpoint_version
    model = kind(model_path=path, random_state=0, device="cpu")
    model.fit(*inputs_and_targets(train, seen))
    new, truth = inputs_and_targets(held_out, asked)
    return (model.predict_proba(new) if made.task.probabilities else model.predict(new)), truth


def test_metrics_are_those_of_the_predictions_of_the_package(prepare: Make, folder: Path) -> None:
    made = prepare(CLASSES, rows(CLASSES), data=ASIDE, tabicl=str(folder))
    _, found = made.task.baselines(made.raw, made.fitted)
    said, truth = own_predictions(made, folder, np.arange(60), np.arange(20))
    assert (found.name, found.missing) == ("TabICL", "")
    metrics = found.evaluation.metrics
    assert metrics["accuracy"] == pytest.approx((said.argmax(1) == truth).mean())
    loss = -np.log(said[np.arange(20), truth]).mean()
    assert metrics["loss"] == pytest.approx(loss, rel=1e-4)


def test_numbers_are_in_the_units_of_the_target(prepare: Make, folder: Path) -> None:
    made = prepare(NUMBERS, rows(NUMBERS), data=ASIDE, tabicl=str(folder))
    _, found = made.task.baselines(made.raw, made.fitted)
    said, truth = own_predictions(made, folder, np.arange(60), np.arange(20))
    rmse = made.fitted.std * np.sqrt(((said - truth) ** 2).mean())
    assert found.evaluation.metrics["rmse"] == pytest.approx(rmse, rel=1e-4)


def test_of_many_rows_a_part_is_used_and_judged(prepare: Make, folder: Path) -> None:
    aside = {"validation_fraction": 0.2, "test_fraction": 0.4}
    made = prepare(CLASSES, rows(CLASSES), data=aside, tabicl=str(folder), tabicl_rows=20)
    boosted, found = made.task.baselines(made.raw, made.fitted)
    assert found.name == "TabICL (20 of 40 training rows, judged on 20 of 40 rows)"
    asked = np.linspace(0, 39, 20).round().astype(int)
    said, truth = own_predictions(made, folder, asked, asked)
    assert found.evaluation.metrics["accuracy"] == pytest.approx((said.argmax(1) == truth).mean())
    # The network's result is that of the boosting, which is right where it is right.
    report = report_of(made, boosted.evaluation)
    ours = 1 - boosted.evaluation.rows.losses[asked]
    verdict = report["baselines"][0]["verdict"]
    assert verdict["difference"] == pytest.approx(ours.mean() - (said.argmax(1) == truth).mean())


def test_the_text_of_objects_other_than_weights_does_not_advise_to_load_them(
    prepare: Make, folder: Path
) -> None:
    torch.save({"config": {}, "state_dict": SimpleNamespace()}, folder / "other.ckpt")
    made = prepare(CLASSES, rows(CLASSES), data=ASIDE, tabicl=str(folder / "other.ckpt"))
    found = made.task.baselines(made.raw, made.fitted)[1]
    assert found.missing.endswith("holds other objects than weights, and these are never loaded.")


@pytest.mark.usefixtures("folder")
def test_a_checkpoint_that_cannot_be_had_leaves_the_other_results(
    prepare: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    made = prepare(CLASSES, rows(CLASSES), data=ASIDE, tabicl="nobody/TabICL")
    boosted, found = made.task.baselines(made.raw, made.fitted)
    why = "nobody/TabICL is not on this machine, and HF_HUB_OFFLINE is set."
    assert (found.missing, found.evaluation.metrics) == (why, {})
    report = report_of(made, boosted.evaluation)
    assert report["baseline"]["name"] == "gradient boosting"
    columns, _ = metrics_table(report)
    assert columns == ["metric", "test", "gradient boosting"]
    assert judged(report)["TabICL"] == f"no result: {why}"
    lines = [line.plain for line in metric_lines(report)]
    assert lines[-1] == f"No result of TabICL: {why}"


def test_a_folder_without_the_checkpoint_of_the_task_is_named(prepare: Make, folder: Path) -> None:
    for file in folder.glob("*classifier*"):
        file.unlink()
    made = prepare(CLASSES, rows(CLASSES), data=ASIDE, tabicl=str(folder))
    found = made.task.baselines(made.raw, made.fitted)[1]
    assert "has not the checkpoint that this task needs" in found.missing


def report_of(made: Any, result: Any) -> dict[str, Any]:
    material = SimpleNamespace(raw=made.raw, fitted=made.fitted)
    report = {"metrics": {TEST: result.metrics}, "metric": "accuracy"}
    found: dict[str, Any] = json.loads(json.dumps(beside_baselines(made.task, material, result)))
    return report | found


def test_without_it_there_is_one_baseline(prepare: Make) -> None:
    made = prepare(CLASSES, rows(CLASSES), data={VALIDATION + "_fraction": 0.2})
    assert [other.name for other in made.task.baselines(made.raw, made.fitted)] == [
        "gradient boosting"
    ]
