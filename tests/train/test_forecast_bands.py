"""Bands from training to prediction, by the real engine."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy import array, mean

from engine.artifacts.model_folder import load_exported
from engine.config.run_config import RunConfig
from engine.data.raw import TEST, VALIDATION
from engine.errors import ConfigError
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, decode
from engine.service.predict import answer


def trained(loss: str, *changes: str) -> RunDirectory:
    task: dict[str, Any] = {
        "kind": "forecasting",
        "targets": ["load"],
        "window": 48,
        "horizon": 12,
        "loss": loss,
    }
    task |= {"baseline_seconds": 0.0}  # the seasonal naive forecast alone
    values = {
        "task": task,
        "data": {"kind": "builtin", "name": "seasons"},
        "model": {"kind": "dlinear"},
        "train": {"epochs": 1, "batch_size": 64, "learning_rate": 1e-2},
        "compute": {"threads": 1, "device": "cpu"},
    }
    return train(RunConfig.parse(values).override(list(changes)))


@pytest.mark.parametrize("loss", ["mse", "quantile"])
def test_a_run_is_judged_beside_its_baseline_and_says_how_often_its_band_held(loss: str) -> None:
    run = trained(loss, "task.cutoffs=3")
    report = json.loads(run.report.path.read_text())
    [cuts] = [view for view in report["views"] if view["title"] == "Errors at cut-offs"]
    assert [row[0] for row in cuts["rows"][3:]] == ["mean", "standard deviation"]
    metrics, baseline = report["metrics"][TEST], report["baseline"]["metrics"]
    assert metrics["coverage"] == pytest.approx(0.8, abs=0.1)
    assert baseline["coverage"] == pytest.approx(0.8, abs=0.1)
    ratio = metrics["mae_scaled"] / baseline["mae_scaled"]
    assert report["verdict"]["difference"] == pytest.approx(ratio - 1, rel=1e-4)
    assert "seasonal-naive, 24 rows" in report["verdict"]["text"]
    assert metrics["wql"] < baseline["wql"]
    picture = next(view for view in report["views"] if view["title"].startswith("Forecast of"))
    assert set(picture["series"]) == {"truth", "forecast", "0.1", "0.9"}
    assert picture["title"].endswith(picture["labels"][picture["x"].index(0.0)])
    assert len(picture["labels"]) == len(picture["x"])
    [said] = next(view for view in report["views"] if view["title"] == "Bands")["items"]
    assert said == {"80 % band": f"The 80 % band held {metrics['coverage']:.1%} of the values."}


def test_the_errors_at_cutoffs_select_the_best_weights_where_that_is_asked() -> None:
    by = "train.metric_for_best_model=mae_cutoffs"
    run = trained("mse", "task.cutoffs=3", by, "train.epochs=2")
    report = json.loads(run.report.path.read_text())
    [cuts] = [view for view in report["views"] if view["title"] == "Errors at cut-offs"]
    assert report["metric"] == "mae_cutoffs"
    assert report["metrics"][TEST]["mae_cutoffs"] == pytest.approx(cuts["rows"][3][2])
    events = [decode(line) for line in run.events.path.read_text().splitlines()]
    judged = [e for e in events if isinstance(e, Evaluated) and e.split == VALIDATION]
    assert len(judged) == 2
    best = min(judged, key=lambda event: event.metrics["mae_cutoffs"] or math.inf)
    assert report["best_step"] == best.step
    with pytest.raises(ConfigError, match="mae_cutoffs is not a metric"):
        trained("mse", by)


def test_predictions_have_a_column_for_each_quantile(tmp_path: Path) -> None:
    run = trained("quantile", "task.quantiles=[0.05, 0.5, 0.75]")
    file = tmp_path / "past.csv"
    hours = [f"2031-01-{1 + i // 24:02}T{i % 24:02}:00" for i in range(72)]
    rows = [f"{hour},{20 + i % 24},3.5,4" for i, hour in enumerate(hours)]
    inputs = answer(run.id)["inputs"]
    assert inputs[:2] == ["time", "load"]
    file.write_text("\n".join([",".join(inputs), *rows]))
    records = answer(run.id, file=str(file))["records"]
    assert list(records[0]) == ["time", "load", "load 0.05", "load 0.75"]
    values = array([[step["load 0.05"], step["load"], step["load 0.75"]] for step in records])
    assert len(values) == 12
    assert (values[:, :-1] <= values[:, 1:]).all()
    assert mean(values[:, 2] - values[:, 0]) > 0


def test_a_model_that_knows_no_bands_forecasts_as_before() -> None:
    run = trained("mse")
    task, fitted, network = load_exported(run.model, torch.device("cpu"))
    older = fitted.model_dump()
    assert older.pop("bands")
    assert older.pop("naive_squared")
    source = task.encode(task.pipeline.load().splits[TEST], fitted, torch.device("cpu"), print)
    [batch] = source.read([torch.tensor([3])])
    with torch.inference_mode():
        now = task.predict(network, batch, fitted)
        then = task.predict(network, batch, type(fitted).model_validate(older))
    assert list(now[0]) == ["time", "load", "load 0.1", "load 0.9"]
    assert then == [{"time": record["time"], "load": record["load"]} for record in now]
