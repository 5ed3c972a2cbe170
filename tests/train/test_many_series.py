"""Many series from training to prediction, by the real engine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.config.run_config import RunConfig
from engine.launch.in_process import train
from engine.service.predict import answer
from engine.service.saved_predictions import answer as save


def shops(rows: int) -> pd.DataFrame:
    """Weeks of a small and of a large shop, the large one from a later day on."""
    frames = []
    for name, size, start in (("small", 10.0, "2024-01-01"), ("large", 10_000.0, "2024-03-01")):
        week = np.sin(2 * np.pi * np.arange(rows) / 7)
        days = pd.date_range(start, periods=rows, freq="D")
        frames.append(pd.DataFrame({"shop": name, "day": days, "sales": size * (3 + week)}))
    return pd.concat(frames).sort_values("day")


def test_a_run_learns_all_series_and_forecasts_each_of_a_file(tmp_path: Path) -> None:
    shops(120).to_csv(tmp_path / "sales.csv", index=False)
    run = train(
        RunConfig.parse({
            "task": {"kind": "forecasting", "window": 14, "horizon": 7},
            "data": {"kind": "file", "path": str(tmp_path / "sales.csv")},
            "model": {"kind": "dlinear"},
            "train": {"epochs": 15, "batch_size": 16, "learning_rate": 1e-2},
            "compute": {"threads": 1, "device": "cpu"},
        })
    )  # fmt: skip
    report = json.loads(run.report.path.read_text())
    [by_series] = [view for view in report["views"] if "by series" in view["title"]]
    assert {row[0] for row in by_series["rows"]} == {"shop = small", "shop = large"}
    past = shops(50)
    past.to_csv(tmp_path / "past.csv", index=False)
    found = pd.DataFrame(answer(run.id, file=str(tmp_path / "past.csv"))["records"])
    assert list(found.columns) == ["shop", "day", "sales", "sales 0.1", "sales 0.9"]
    whole = shops(57)
    coming = whole[
        ~whole.set_index(["shop", "day"]).index.isin(past.set_index(["shop", "day"]).index)
    ]
    found["day"] = pd.to_datetime(found["day"])
    both = coming.merge(found, on=["shop", "day"])
    assert len(both) == len(found) == 14
    for shop, size in (("small", 10.0), ("large", 10_000.0)):
        own = both[both["shop"] == shop]
        assert own["sales_y"].to_numpy() == pytest.approx(own["sales_x"].to_numpy(), abs=0.2 * size)
    # As many rows as the forecast has: they are the past all the same.
    shops(7).to_csv(tmp_path / "past.csv", index=False)
    output = tmp_path / "out.parquet"
    assert save(run.id, str(output), file=str(tmp_path / "past.csv"))["rows"] == 14
    assert list(pd.read_parquet(output).columns) == list(found.columns)
