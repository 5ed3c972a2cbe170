"""Forecasts of single series against the truth, kept to be looked through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.config.run_config import RunConfig
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory

HORIZON = 7


def shops(rows: int = 90, count: int = 3) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=rows, freq="D")
    week = np.sin(2 * np.pi * np.arange(rows) / 7)
    noise = np.random.default_rng(5).normal(size=(count, rows))
    frames = [
        pd.DataFrame({"shop": f"s{i}", "day": days, "sales": 10 ** (i + 1) * (3 + week + i * e)})
        for i, e in enumerate(noise)
    ]
    return pd.concat(frames)


def trained(tmp_path: Path, frame: pd.DataFrame, **task: object) -> RunDirectory:
    frame.to_csv(tmp_path / "sales.csv", index=False)
    values = {
        "task": {"kind": "forecasting", "window": 14, "horizon": HORIZON, **task},
        "data": {"kind": "file", "path": str(tmp_path / "sales.csv")},
        "model": {"kind": "dlinear"},
        "train": {"epochs": 1, "batch_size": 16},
        "compute": {"threads": 1, "device": "cpu"},
    }
    return train(RunConfig.parse(values))


def test_each_series_is_kept_with_history_truth_forecast_and_band(tmp_path: Path) -> None:
    frame = shops()
    run = trained(tmp_path, frame)
    found = run.gallery.read()
    assert found is not None
    assert found.columns == ["shop", "after", "mase", "mae", "rmse", "smape"]
    assert {row[0] for row in found.rows} == {"s0", "s1", "s2"}
    assert found.total == len(found.rows)
    errors = [row[2] for row in found.rows]
    assert errors == sorted(errors, reverse=True)
    for row, place in zip(found.rows, found.places, strict=True):
        view = run.gallery.view(place)
        assert set(view.series) == {"truth", "forecast", "0.1", "0.9"}
        own = frame[frame["shop"] == row[0]].set_index("day")["sales"]
        assert view.series["truth"] == pytest.approx(own[view.labels].to_list(), rel=1e-4)
        assert view.labels[view.x.index(0.0)] == row[1]
        truth, forecast = (np.array(view.series[name][-HORIZON:]) for name in ("truth", "forecast"))
        assert row[3] == pytest.approx(np.abs(truth - forecast).mean(), rel=1e-3)
        assert row[4] == pytest.approx(np.sqrt(((truth - forecast) ** 2).mean()), rel=1e-3)


def test_the_targets_of_a_wide_table_are_kept_apart(tmp_path: Path) -> None:
    wide = shops().pivot(index="day", columns="shop", values="sales").reset_index()
    run = trained(tmp_path, wide, targets=["s0", "s2"])
    found = run.gallery.read()
    assert found is not None
    assert found.columns[:2] == ["target", "after"]
    assert {row[0] for row in found.rows} == {"s0", "s2"}
    latest = max(str(row[1]) for row in found.rows)
    assert latest == str(wide["day"].iloc[-1 - HORIZON].date())
