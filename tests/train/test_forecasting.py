"""Forecasting from data to prediction, by the real engine."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
import torch
from torch import nn

from engine.artifacts.model_folder import load_exported
from engine.batches.source import Source
from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.data.load import load_data
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.errors import DataError
from engine.launch.in_process import train
from engine.models.build import build_model
from engine.models.series.recurrent import EncoderDecoder
from engine.models.shapes import SeriesShape
from engine.pipelines.create import create_pipeline
from engine.runs.directory import RunDirectory
from engine.runs.events import Data, Evaluated, Samples
from engine.tasks.create import create_task
from engine.tasks.task import Task
from engine.training.checkpoints import checkpoint
from engine.training.checkpoints.state import random_states, seed_everything, set_random_states

CPU = torch.device("cpu")


def config(*changes: str, kind: str = "dlinear", **data: Any) -> RunConfig:
    return RunConfig.parse(
        {
            "task": {"kind": "forecasting", "window": 48, "horizon": 12},
            "data": {"kind": "builtin", "name": "seasons"} | data,
            "model": {"kind": kind},
            "train": {"epochs": 1, "batch_size": 64},
            "compute": {"threads": 1, "device": "cpu"},
        }
    ).override(list(changes))


def file_config(path: Path, table: pa.Table, *changes: str) -> RunConfig:
    pyarrow.csv.write_csv(table, path)
    values = config().values() | {"data": {"kind": "file", "path": str(path)}}
    return RunConfig.parse(values).override(list(changes))


def encoded(task: Task[Any]) -> tuple[Any, Any, dict[str, Source]]:
    raw = task.pipeline.load()
    fitted = task.pipeline.fit(raw)
    sources = {
        name: task.encode(table, fitted, CPU, lambda event: None)
        for name, table in raw.splits.items()
    }
    return raw, fitted, sources


def events(run: RunDirectory, kind: type[Any]) -> list[Any]:
    from engine.runs.events import decode

    found = map(decode, run.events.path.read_bytes().splitlines())
    return [event for event in found if isinstance(event, kind)]


def wave(count: int = 400) -> pa.Table:
    hours = np.arange(count)
    times = np.datetime64("2024-01-01T00", "us") + hours * np.timedelta64(3600, "s")
    load = np.sin(2 * np.pi * hours / 24) + 0.001 * hours
    return pa.table({"time": times, "wind": np.cos(hours / 9.0), "load": load})


@pytest.mark.parametrize("kind", [pytest.param("lstm", marks=pytest.mark.slow), "gru", "dlinear"])
def test_every_network_beats_the_season_before(kind: str) -> None:
    changes = ["task.calendar=true", "train.learning_rate=1e-2"]
    run = train(config(*changes, "train.epochs=3", kind=kind))
    report = json.loads(run.report.path.read_text())
    assert report["baseline"]["name"] == "seasonal-naive, 24 rows"
    assert report["metrics"][TEST]["mase"] < report["baseline"]["metrics"]["mase"]
    assert {view["title"] for view in report["views"]} >= {"Errors by target", "RMSE by step"}


def test_a_run_tells_frequency_season_and_samples() -> None:
    run = train(config())
    [data] = events(run, Data)
    assert data.summary["facts"]["frequency"] == "1 hour"
    assert data.summary["facts"]["season"] == "24 rows"
    assert [column["role"] for column in data.summary["columns"]] == [
        "time", "target", "input", "input",
    ]  # fmt: skip
    assert len(events(run, Samples)[0].items) == 3
    assert events(run, Evaluated)[-1].split == TEST


def test_scaling_is_learned_from_the_training_rows_alone() -> None:
    task = create_task(config("task.targets=load"))
    raw, fitted, sources = encoded(task)
    values = raw.train["load"].to_numpy()
    assert fitted.mean[0] == pytest.approx(values.mean())
    assert fitted.std[0] == pytest.approx(values.std())
    everything = load_data(task.config.data).train["load"].to_numpy()
    assert len(values) < len(everything)
    last = len(sources[TEST]) - 1
    [batch] = sources[TEST].read([torch.tensor([last])])
    restored = batch.targets[0, :, 0].double().numpy() * fitted.std[0] + fitted.mean[0]
    assert restored == pytest.approx(everything[-12:], rel=1e-5)


def test_windows_of_training_never_reach_into_later_splits() -> None:
    task = create_task(config())
    raw, _, sources = encoded(task)
    [last] = sources[TRAIN].read([torch.tensor([len(sources[TRAIN]) - 1])])
    [first] = sources[VALIDATION].read([torch.tensor([0])])
    hour = 3_600_000_000
    end = int(last.inputs["time"][0]) + 12 * hour
    assert end == raw.train["time"].cast("int64")[-1].as_py()
    # The first forecast of the validation rows begins where training ended.
    assert int(first.inputs["time"][0]) == end


def test_the_baseline_is_the_season_before_on_the_same_windows() -> None:
    chosen = config("data.test_fraction=0.05")
    task = create_task(chosen)
    raw, fitted, sources = encoded(task)
    baseline, *_ = task.baselines(raw, fitted)
    values = raw.splits[TEST]["load"].to_numpy()
    starts = range(48, len(values) - 12 + 1)
    assert len(starts) == len(sources[TEST])
    errors = [values[s : s + 12] - values[s - 24 : s - 12] for s in starts]
    assert baseline.evaluation.metrics["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-4)
    train_values = raw.train["load"].to_numpy()
    scale = np.abs(train_values[24:] - train_values[:-24]).mean()
    assert fitted.naive_error[0] == pytest.approx(scale)
    assert baseline.evaluation.metrics["mase"] == pytest.approx(
        np.abs(errors).mean() / scale, rel=1e-4
    )


def test_a_season_longer_than_the_window_gives_way_to_the_last_value() -> None:
    chosen = config("task.season=168")
    task = create_task(chosen)
    raw, fitted, _ = encoded(task)
    baseline, *_ = task.baselines(raw, fitted)
    assert baseline.name == "naive, last value"


def test_several_targets_are_forecast_together() -> None:
    run = train(config("task.targets=load,temperature", "task.inputs=wind", kind="gru"))
    report = json.loads(run.report.path.read_text())
    table = next(view for view in report["views"] if view["title"] == "Errors by target")
    assert [row[0] for row in table["rows"]] == ["load", "temperature"]


def test_an_exported_network_forecasts_what_comes_next(tmp_path: Path) -> None:
    chosen = file_config(
        tmp_path / "wave.csv", wave(), "task.inputs=load", "train.epochs=60",
        "train.batch_size=32", "train.learning_rate=1e-2",
    )  # fmt: skip
    run = train(chosen)
    task, fitted, network = load_exported(run.model, CPU)
    given = wave(500).slice(420, 70)
    source = task.encode_new(given, fitted, CPU, lambda event: None)
    [batch] = source.read(source.plan(8))
    with torch.inference_mode():
        records = task.predict(network, batch, fitted)
    assert [record["time"] for record in records][::11] == ["2024-01-21 10:00", "2024-01-21 21:00"]
    expected = wave(502)["load"].to_numpy()[490:]
    assert [record["load"] for record in records] == pytest.approx(expected, abs=0.1)


def test_the_hours_to_come_are_shown_to_a_forecast(tmp_path: Path) -> None:
    chosen = file_config(tmp_path / "wave.csv", wave(), "task.calendar=true")
    task = create_task(chosen)
    _, fitted, _ = encoded(task)
    known = task.encode(wave(200), fitted, CPU, lambda event: None)
    unknown = task.encode_new(wave(188), fitted, CPU, lambda event: None)
    [expected] = known.read([torch.tensor([len(known) - 1])])
    [actual] = unknown.read([torch.tensor([0])])
    assert len(unknown) == 1
    for name in ("past", "future", "time"):
        assert torch.equal(actual.inputs[name], expected.inputs[name]), name


def test_a_forecast_needs_a_whole_window(tmp_path: Path) -> None:
    chosen = file_config(tmp_path / "wave.csv", wave())
    task = create_task(chosen)
    _, fitted, _ = encoded(task)
    with pytest.raises(DataError, match="looks back at 48 rows; there are 20"):
        task.encode_new(wave(20), fitted, CPU, lambda event: None)


def test_data_that_is_no_series_is_refused(tmp_path: Path) -> None:
    table = wave().drop_columns("load").append_column("load", pa.array([3.0] * 400))
    constant = file_config(tmp_path / "constant.csv", table, "task.targets=load")
    task = create_task(constant)
    with pytest.raises(DataError, match="'load' is the same in all training rows"):
        task.pipeline.fit(task.pipeline.load())
    short = file_config(tmp_path / "short.csv", wave(70))
    with pytest.raises(DataError, match=r"train rows are too few: \d+, where a window of 48"):
        create_pipeline(short).load()


def test_source_splits_keep_their_step_and_look_back(tmp_path: Path) -> None:
    pyarrow.csv.write_csv(wave(400).slice(0, 300), tmp_path / "train.csv")
    pyarrow.csv.write_csv(wave(400).slice(300), tmp_path / "test.csv")
    values = config().values() | {"data": {"kind": "file", "path": str(tmp_path)}}
    chosen = RunConfig.parse(values)
    task = create_task(chosen)
    raw, fitted, sources = encoded(task)
    assert task.pipeline.summarize(raw, fitted).rows == {TRAIN: 255, VALIDATION: 45, TEST: 100}
    assert len(sources[TEST]) == 100 - 12 + 1


@pytest.mark.parametrize("kind", ["lstm", pytest.param("gru", marks=pytest.mark.slow)])
def test_resuming_a_step_by_step_decoder_changes_nothing(kind: str) -> None:
    """Dropout, scheduled sampling and its schedule continue as in an uninterrupted run."""
    changes = [
        "model.decoder=step_by_step", "model.layers=2", "model.dropout=0.2", "model.hidden_size=8",
        "model.scheduled_sampling_steps=40", "train.max_steps=30", "train.save_steps=12",
        "train.save_total_limit=9", "task.horizon=6",
    ]  # fmt: skip
    run = train(config(*changes, kind=kind))
    expected = checkpoint.load_newest(run.checkpoints)[1]
    for saved in checkpoint.found(run.checkpoints):
        if saved.step > 12:
            for file in saved.path.iterdir():
                file.unlink()
    assert checkpoint.load_newest(run.checkpoints)[0].step == 12
    train(run.config.read(), run)
    actual = checkpoint.load_newest(run.checkpoints)[1]
    assert actual["position"]["step"] == expected["position"]["step"] == 30
    for name, value in expected["network"].items():
        assert torch.equal(value, actual["network"][name]), name


_WITHOUT_AVX512 = """
import sys, torch
from engine.models.series.lstm import Lstm
torch.manual_seed(0)
lstm, past = Lstm(3, 32, batch_first=True), torch.randn(8, 20, 3)
exact = lstm(past)[0]
for dtype in (torch.bfloat16, torch.float16):
    with torch.autocast("cpu", dtype=dtype):
        outputs, _ = lstm(past)
    outputs.float().sum().backward()
    assert lstm.weight_ih_l0.grad.isfinite().all()
    difference = (outputs.float() - exact).abs().max().item()
    assert 0 < difference < 0.01, difference
assert torch.backends.mkldnn.enabled
"""


@pytest.mark.parametrize("instructions", ["AVX2", "DEFAULT"])
def test_an_lstm_computes_in_half_precision_on_every_cpu(instructions: str) -> None:
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": instructions}
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_AVX512], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_decoder_is_fed_less_and_less_of_the_truth() -> None:
    seed_everything(0)
    shape = SeriesShape(channels=1, targets=1, window=5, horizon=4)
    network = EncoderDecoder("gru", shape, 4, 1, 0.0, sampling_steps=2)
    past, future, truth = torch.randn(3, 5, 1), torch.zeros(3, 4, 0), torch.randn(3, 4, 1)
    own = network.eval()(past, future, truth)
    network.train()
    forced = network(past, future, truth)
    assert torch.equal(forced[:, 0], own[:, 0])
    assert not torch.allclose(forced[:, 1:], own[:, 1:])
    for _ in range(2):
        last = network(past, future, truth)
    assert torch.equal(last, own)
    assert int(network.updates) == 3


def test_scheduled_sampling_draws_from_the_saved_generator() -> None:
    shape = SeriesShape(channels=1, targets=1, window=5, horizon=4)
    network = EncoderDecoder("lstm", shape, 4, 1, 0.0, sampling_steps=1000).train()
    network.updates += 500
    inputs = (torch.randn(3, 5, 1), torch.zeros(3, 4, 0), torch.randn(3, 4, 1))
    states = random_states()
    first = network(*inputs)
    set_random_states(states)
    network.updates -= 1
    assert torch.equal(first, network(*inputs))


@pytest.mark.parametrize("norm", ["last", "standard"])
@pytest.mark.parametrize("decoder", ["direct", "step_by_step"])
def test_a_normalized_window_moves_the_forecast_with_the_series(norm: str, decoder: str) -> None:
    chosen = config(f"model.window_norm={norm}", f"model.decoder={decoder}", kind="lstm")
    network: nn.Module = build_model(
        chosen.model, SeriesShape(3, 2, window=9, horizon=4, features=2)
    )
    past, future = torch.randn(5, 9, 5), torch.randn(5, 4, 2)
    moved = past.clone()
    moved[..., :3] += 7.0
    expected = network.eval()(past, future) + 7.0
    assert torch.allclose(network(moved, future), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(1800)
def test_dlinear_reaches_the_published_error_on_etth1(real_data: Path) -> None:
    """Univariate OT, 336 → 96: Zeng et al. report an MSE of 0.056."""
    errors = [_etth1("etth1-dlinear", real_data, seed)[0] for seed in range(3)]
    assert statistics.median(errors) <= 0.060


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(1800)
def test_the_last_value_taken_off_each_window_betters_dlinear_on_etth1(real_data: Path) -> None:
    """NLinear: Zeng et al. report an MSE of 0.053."""
    errors = [_etth1("etth1-nlinear", real_data, seed)[0] for seed in range(3)]
    assert statistics.median(errors) <= 0.056


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(1800)
def test_an_lstm_beats_the_season_before_on_etth1(real_data: Path) -> None:
    results = [_etth1("etth1-lstm", real_data, seed) for seed in range(3)]
    assert statistics.median(error for error, _ in results) < results[0][1]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(1800)
def test_n_hits_reaches_the_winner_of_m4_hourly_in_mase(real_data: Path) -> None:
    """The winner had a MASE of 0.89 and a sMAPE of 9.3, the season before 1.19 and 13.9."""
    path = real_data / "m4_hourly.parquet"
    preset = load_preset(find_preset("m4-hourly-nhits"), [f"data.path={path}"])
    found = json.loads(train(preset).report.path.read_text())["metrics"][TEST]
    assert found["smape"] <= 12.0
    assert found["mase"] <= 0.89
    assert 0.77 <= found["coverage"] <= 0.83


def _etth1(preset: str, real_data: Path, seed: int) -> tuple[float, float]:
    """Standardised test error of a shipped preset, and of its baseline."""
    path = real_data / "etth1.csv"
    run = train(load_preset(find_preset(preset), [f"data.path={path}", f"train.seed={seed}"]))
    report = json.loads(run.report.path.read_text())
    return report["metrics"][TEST]["mse_scaled"], report["baseline"]["metrics"]["mse_scaled"]
