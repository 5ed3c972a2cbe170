"""Windows that end within a gap: what the network and its baselines see of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from engine.data.raw import TEST
from engine.data.series.filled_past import known_rows
from engine.tasks.forecast_baselines import history_of

Make = Callable[..., Any]
KIND = "forecasting"
WINDOW, HORIZON, ROWS = 6, 2, 80
TASK = {"window": WINDOW, "horizon": HORIZON, "targets": ["sales"]}
ASIDE = {"validation_fraction": 0.2, "test_fraction": 0.4}


def shop(name: str, seed: int) -> pd.DataFrame:
    """Sales with gaps of one day and more, and a price with others, all at random."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "shop": name,
        "day": pd.date_range("2024-01-01", periods=ROWS),
        "price": random.normal(5, 1, ROWS),
        "sales": random.normal(100, 10, ROWS),
    })  # fmt: skip
    for column in ("price", "sales"):
        holes = (random.random(ROWS) < 0.3) & (np.arange(ROWS) % (ROWS - 1) > 0)
        frame[column] = frame[column].where(~holes)
    frame.loc[60:63, "sales"] = np.nan
    return frame


def known_at(values: pd.Series, end: int) -> np.ndarray:
    """Values up to a row: gaps between two known ones are lines, the last one repeats its value."""
    return values[:end].interpolate(limit_area="inside").ffill().to_numpy()[-WINDOW:]


def windows(made: Any) -> Any:
    source = made.task.encode(made.raw.splits[TEST], made.fitted, torch.device("cpu"), print)
    [batch] = source.read(source.evaluation_plan(1000))
    return batch


def test_the_past_of_one_series_ends_as_it_was_known(prepare: Make) -> None:
    """A line to the next value told half of it."""
    rows = shop("a", 0).drop(columns="shop")
    made = prepare(KIND, pa.Table.from_pandas(rows), data=ASIDE, **TASK)
    past = windows(made).inputs["past"].numpy()
    first = ROWS - 32
    assert len(past) == 32 - HORIZON + 1
    ends = 0
    for window, found in enumerate(past):
        ends += bool(np.isnan(rows["sales"][first + window - 1]))
        for channel, name in enumerate(("sales", "price")):
            values = found[:, channel] * made.fitted.std[channel] + made.fitted.mean[channel]
            np.testing.assert_allclose(values, known_at(rows[name], first + window), rtol=1e-5)
    assert ends > 5, "some windows end in a gap"


@pytest.mark.parametrize("reaches_back", [False, True])
def test_the_past_of_many_series_ends_as_it_was_known(prepare: Make, reaches_back: bool) -> None:
    frames = {name: shop(name, seed) for seed, name in enumerate("ab")}
    short = shop("c", 3)[-9:] if reaches_back else None  # a window before its first row
    rows = pa.Table.from_pandas(pd.concat([*frames.values(), short]), preserve_index=False)
    made = prepare(KIND, rows, series=["shop"], inputs=["sales"], data=ASIDE, **TASK)
    inputs = windows(made).inputs
    assert (inputs["seen"] < WINDOW).any() == reaches_back
    checked = 0
    for row, time in enumerate(inputs["time"].tolist()):
        name = "abc"[int(inputs["series"][row])]
        if name == "c":
            continue
        end = int(frames[name]["day"].searchsorted(pd.Timestamp(time, unit="us"), side="right"))
        values = inputs["past"][row] * inputs["scale"][row] + inputs["shift"][row]
        np.testing.assert_allclose(
            values[:, 0].numpy(), known_at(frames[name]["sales"], end), rtol=1e-5
        )  # fmt: skip
        checked += 1
    assert checked == 2 * (32 - HORIZON + 1)


def test_the_whole_past_of_baselines_ends_as_it_was_known(prepare: Make) -> None:
    frames = [shop(name, seed) for seed, name in enumerate("ab")]
    rows = pa.Table.from_pandas(pd.concat(frames), preserve_index=False)
    made = prepare(KIND, rows, series=["shop"], inputs=["sales"], data=ASIDE, **TASK)
    history = history_of(made.raw, made.fitted)
    for series, frame in enumerate(frames):
        for end in (10, 61, 62, 63, 64, 65, ROWS):
            time = int(frame["day"][end - 1].value) // 1000
            found = history.before(series, time)[:, 0]
            known = frame["sales"][:end].interpolate(limit_area="inside").ffill()
            np.testing.assert_allclose(found, known.to_numpy(), rtol=1e-9)


def test_values_are_looked_for_within_their_series() -> None:
    filled = np.array([0, 1, 1, 0, 1, 1, 1, 0, 1], bool)[:, None]
    before, until = known_rows(filled, np.array([0, 6, 9]))
    assert before[:, 0].tolist() == [0, 0, 0, 3, 3, 3, 6, 7, 7]
    assert until[:, 0].tolist() == [0, 3, 3, 3, 9, 9, 7, 7, 9]
