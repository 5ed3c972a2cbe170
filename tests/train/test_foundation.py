"""Pre-trained forecasters, by small stand-ins of the same architecture with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from engine import RunConfig, train
from engine.errors import TrainingError
from engine.runs.directory import RunDirectory
from engine.runs.follower import read_history
from engine.service import predict

WINDOW, HORIZON = 48, 12


@pytest.fixture
def timesfm(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = transformers.TimesFm2_5Config(
        patch_length=16, context_length=64, horizon_length=16, output_quantile_len=16,
        num_hidden_layers=1, hidden_size=32, intermediate_size=32, head_dim=8,
        num_attention_heads=4, num_key_value_heads=4,
    )  # fmt: skip
    transformers.TimesFm2_5ModelForPrediction(config).save_pretrained(tmp_path / "timesfm")
    return tmp_path / "timesfm"


@pytest.fixture
def chronos(tmp_path: Path) -> Path:
    model = pytest.importorskip("chronos.chronos2.model")
    config = pytest.importorskip("chronos.chronos2.config")
    torch.manual_seed(0)
    settings = {
        "context_length": 64, "output_patch_size": 8, "input_patch_size": 8,
        "input_patch_stride": 8, "quantiles": [0.1, 0.5, 0.9], "use_reg_token": True,
        "use_arcsinh": True, "max_output_patches": 4,
    }  # fmt: skip
    small = config.Chronos2CoreConfig(
        d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4, chronos_config=settings
    )
    model.Chronos2Model(small).save_pretrained(tmp_path / "chronos")
    return tmp_path / "chronos"


def waves(path: Path, rows: int = 400) -> Path:
    hours = np.arange(rows)
    frame = pd.DataFrame({
        "time": pd.date_range("2024-01-01", periods=rows, freq="h"),
        "a": 5 + np.sin(hours * 2 * np.pi / 24),
        "b": 100 - 20 * np.cos(hours * 2 * np.pi / 12),
    })  # fmt: skip
    frame.to_csv(path, index=False)
    return path


def run_on(data: Path, weights: Path, steps: int, **task: Any) -> RunDirectory:
    section = {"window": WINDOW, "horizon": HORIZON, "targets": ["a", "b"]} | task
    return train(
        RunConfig.parse(
            {
                "task": {"kind": "forecasting"} | section,
                "data": {"kind": "file", "path": str(data)},
                "model": {"kind": "foundation", "path": str(weights)},
                "train": {"max_steps": steps, "batch_size": 16, "learning_rate": 3e-3},
                "compute": {"device": "cpu", "threads": 1},
            }
        )
    )


def pasts_of(data: Path) -> dict[str, torch.Tensor]:
    frame = pd.read_csv(data)
    return {name: torch.tensor(frame[name].to_numpy()[-WINDOW:]).float() for name in "ab"}


def test_without_updates_it_forecasts_as_transformers_does(tmp_path: Path, timesfm: Path) -> None:
    data = waves(tmp_path / "waves.csv")
    run = run_on(data, timesfm, steps=0, loss="quantile")
    network = transformers.TimesFm2_5ModelForPrediction.from_pretrained(timesfm).eval()
    records = predict.answer(run.id, file=str(data))["records"]
    for name, past in pasts_of(data).items():
        with torch.inference_mode():
            theirs = network([past], forecast_context_len=WINDOW, truncate_negative=False)
        quantiles = theirs.full_predictions[0, :HORIZON, 1:]
        low, middle, high = quantiles[:, [0, 4, 8]].sort(1).values.T
        found = [[record[column] for record in records] for column in (name, f"{name} 0.1")]
        assert found[0] == pytest.approx(middle.tolist(), rel=1e-3)
        spread = float((high - low).mean())
        assert np.isfinite(found[1]).all()
        assert spread > 0


def test_it_learns_and_is_read_back_by_transformers(tmp_path: Path, timesfm: Path) -> None:
    data = waves(tmp_path / "waves.csv")
    run = run_on(data, timesfm, steps=60)
    base, report = run.base.read() or {}, run.report.read() or {}
    assert report["metrics"]["test"]["mae_scaled"] < 0.7 * base["metrics"]["mae_scaled"]
    assert not [log.message for log in read_history(run).log if log.level == "warning"]
    network = transformers.TimesFm2_5ModelForPrediction.from_pretrained(run.model).eval()
    records = predict.answer(run.id, file=str(data))["records"]
    past = pasts_of(data)["b"]
    with torch.inference_mode():
        theirs = network([past], forecast_context_len=WINDOW, truncate_negative=False)
    middle = theirs.full_predictions[0, :HORIZON, 5]
    assert [record["b"] for record in records] == pytest.approx(middle.tolist(), rel=1e-3)


def test_chronos_forecasts_as_its_own_package_does(tmp_path: Path, chronos: Path) -> None:
    from chronos.chronos2.model import Chronos2Model

    data = waves(tmp_path / "waves.csv")
    run = run_on(data, chronos, steps=0)
    history = read_history(run)
    assert history.evaluations
    assert not [log.message for log in history.log if log.level == "warning"]
    card = (run.model / "README.md").read_text()
    assert "from chronos.chronos2.model import Chronos2Model" in card
    assert "library_name: chronos-forecasting" in card
    network = Chronos2Model.from_pretrained(chronos).eval()
    records = predict.answer(run.id, file=str(data))["records"]
    for name, past in pasts_of(data).items():
        with torch.inference_mode():
            theirs = network(context=past[None], num_output_patches=2).quantile_preds
        middle = theirs[0, 1, :HORIZON].tolist()
        assert [record[name] for record in records] == pytest.approx(middle, rel=1e-3)


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        ({"calendar": True}, "sees the past of the targets alone"),
        ({"targets": ["a"]}, "sees the past of the targets alone"),
        ({"horizon": 17}, "forecasts up to 16 rows"),
        ({"window": 15}, "needs 16 rows of the past"),
    ],
)
def test_what_it_cannot_take_is_said(
    tmp_path: Path, timesfm: Path, task: dict[str, Any], problem: str
) -> None:
    with pytest.raises(TrainingError, match=problem):
        run_on(waves(tmp_path / "waves.csv"), timesfm, 1, **task)


def test_another_model_is_refused_by_name(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        vocab_size=20, architectures=["BertModel"],
    )  # fmt: skip
    config.save_pretrained(tmp_path / "bert")
    with pytest.raises(TrainingError, match=r"is a BertModel, not one of TimesFm2_5ModelFor"):
        run_on(waves(tmp_path / "waves.csv"), tmp_path / "bert", 1)
