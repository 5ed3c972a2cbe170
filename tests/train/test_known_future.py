"""A forecast that knows prices and weather ahead, from training to a file, by the real engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.config.run_config import RunConfig
from engine.errors import DataError
from engine.launch.in_process import train
from engine.service import saved_predictions
from engine.service.predict import answer


def shops(rows: int, seed: int) -> pd.DataFrame:
    """Sales of two shops that follow promotions and weather alone, which no past foretells."""
    random = np.random.default_rng(seed)
    frames = []
    for shop, size in (("small", 1.0), ("large", 100.0)):
        promo, sky = random.random(rows) < 0.3, random.choice(["rain", "sun"], rows)
        sales = size * (10.0 + 4.0 * promo - 2.0 * (sky == "rain"))
        days = pd.date_range("2024-01-01", periods=rows, freq="D")
        parts = {"shop": shop, "day": days, "sales": sales, "promo": promo, "sky": sky}
        frames.append(pd.DataFrame(parts))
    return pd.concat(frames)


def test_a_forecast_follows_a_file_of_the_future(tmp_path: Path) -> None:
    shops(120, seed=0).to_csv(tmp_path / "sales.csv", index=False)
    run = train(
        RunConfig.parse({
            "task": {
                "kind": "forecasting", "window": 7, "horizon": 5,
                "known_future": ["promo", "sky"],
            },
            "data": {"kind": "file", "path": str(tmp_path / "sales.csv")},
            "model": {"kind": "nhits", "hidden_size": 32, "window_norm": "none"},
            "train": {"epochs": 25, "batch_size": 16, "learning_rate": 1e-2},
            "compute": {"threads": 1, "device": "cpu"},
        })
    )  # fmt: skip
    whole = shops(30, seed=1)
    last = whole["day"] > whole["day"].max() - pd.Timedelta(days=5)
    past, future, output = (tmp_path / name for name in ("past.csv", "known.csv", "out.parquet"))
    whole[~last].to_csv(past, index=False)
    whole[last].drop(columns="sales").to_csv(future, index=False)
    assert answer(run.id)["ahead"] == ["shop", "day", "promo", "sky"]
    told = saved_predictions.answer(run.id, str(output), file=str(past), future=str(future))
    assert told["rows"] == 10
    found = pd.read_parquet(output)
    assert found["day"].dtype.kind == "M"  # texts are for formats without types
    both = whole[last].merge(found.assign(day=pd.to_datetime(found["day"])), on=["shop", "day"])
    assert len(both) == 10
    for shop, size in (("small", 1.0), ("large", 100.0)):
        own = both[both["shop"] == shop]
        assert own["sales_y"].to_numpy() == pytest.approx(own["sales_x"].to_numpy(), abs=0.6 * size)
        assert own["sales_x"].std() > size
    with pytest.raises(DataError, match="no row with promo, sky for 2024-01-26, step 1"):
        answer(run.id, file=str(past))
    whole[last].drop(columns="sky").to_csv(future, index=False)
    with pytest.raises(DataError, match=r"known.csv has no column sky"):
        answer(run.id, file=str(past), future=str(future))
