"""Baselines of forecasts: each sees the whole past of its series, and nothing behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from engine.baselines import statistical
from engine.baselines.baseline import Baseline
from engine.data.raw import TEST
from engine.metrics.evaluator import Evaluation
from engine.training.baselines import beside_baselines
from tui.screens.results.metrics import metric_lines

Make = Callable[..., Any]
Numbers = NDArray[np.float64]
SHORT = {"window": 4, "horizon": 2}
ASIDE = {"validation_fraction": 0.2, "test_fraction": 0.2}


def shop(name: str, count: int, step: float) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=count, freq="D")
    return pd.DataFrame({"shop": name, "day": days, "sales": 100 + step * np.arange(count)})


def table(*frames: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(pd.concat(frames), preserve_index=False)


class Line:
    """Continues a line, and keeps the pasts that it was asked with."""

    asked: list[Numbers] = []  # noqa: RUF012 — a new one for each test

    def __init__(self, name: str, season: int, horizon: int, levels: Sequence[float]) -> None:
        self.name, self.horizon, self.levels = name, horizon, levels

    def quantiles(self, past: Numbers) -> Numbers | None:
        Line.asked.append(past)
        steps = past[-1] + (past[-1] - past[-2]) * np.arange(1, self.horizon + 1)
        return steps[:, None] + np.array(self.levels) - 0.5


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> type[Line]:
    """Lines in place of the models of statsforecast."""
    monkeypatch.setattr(Line, "asked", [])
    monkeypatch.setattr(statistical, "StatisticalForecast", Line)
    monkeypatch.setattr(statistical, "installed", lambda: True)
    return Line


def test_a_baseline_is_asked_with_all_rows_before_each_test_window(
    prepare: Make, lines: type[Line]
) -> None:
    rows = shop("A", 40, 1.0).drop(columns="shop")
    made = prepare("forecasting", pa.Table.from_pandas(rows), data=ASIDE, **SHORT)
    made.task.baselines(made.raw, made.fitted)
    # The last 8 rows are of the test: windows of 2 rows begin at rows 32 to 38.
    asked = lines.asked[: len(lines.asked) // 2]
    assert sorted(map(len, asked)) == list(range(32, 39))
    assert all(np.array_equal(past, 100.0 + np.arange(len(past))) for past in asked)


@pytest.mark.parametrize("loss", ["mse", "quantile"])
def test_baselines_of_many_series_are_measured_as_the_network_is(
    prepare: Make, lines: type[Line], loss: str
) -> None:
    frames = shop("A", 40, 1.0), shop("B", 30, -2.0)
    made = prepare("forecasting", table(*frames), data=ASIDE, loss=loss, **SHORT)
    _, first, second = made.task.baselines(made.raw, made.fitted)
    assert (first.name, second.name) == ("AutoETS", "AutoTheta")
    assert first.evaluation.metrics["mae"] == pytest.approx(0, abs=1e-4)
    assert first.evaluation.metrics["coverage"] == 1.0
    # The band is 0.8 wide: a pinball loss of 0.1 · 0.4 in both tails.
    truth = np.concatenate(
        [f["sales"].to_numpy()[-k - 2 :] for f, k in zip(frames, (6, 4), strict=True)]
    )
    assert first.evaluation.metrics["wql"] == pytest.approx(
        2 * (0.04 + 0.04) / 3 / truth.mean(), rel=0.02
    )
    windows = len(made.task.encode(made.raw.splits[TEST], made.fitted, "cpu", print))
    assert first.evaluation.errors is not None
    assert np.isfinite(first.evaluation.errors).sum() == windows == 12


def test_a_baseline_that_is_out_of_time_says_how_many_windows_it_forecast(
    prepare: Make, lines: type[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = Line.quantiles

    def slow(self: Line, past: Numbers) -> Numbers | None:
        time.sleep(0.02)
        return fit(self, past)

    monkeypatch.setattr(Line, "quantiles", slow)
    rows = table(shop("A", 40, 1.0), shop("B", 30, -2.0))
    made = prepare("forecasting", rows, data=ASIDE, baseline_seconds=0.02, **SHORT)
    _, first, second = made.task.baselines(made.raw, made.fitted)
    assert first.name == "AutoETS (1 of 12 windows in 0.01 s)"
    assert np.isfinite(first.evaluation.errors).sum() == 1
    assert first.advice == "A higher task.baseline_seconds gives it more windows."
    # Both are asked for the same windows.
    assert np.array_equal(
        np.isfinite(first.evaluation.errors), np.isfinite(second.evaluation.errors)
    )


def test_a_baseline_that_cannot_be_fitted_says_so_in_the_results(
    prepare: Make, lines: type[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Line, "quantiles", lambda self, past: None)
    rows = table(shop("A", 40, 1.0), shop("B", 30, -2.0))
    made = prepare("forecasting", rows, data=ASIDE, baseline_seconds=60, **SHORT)
    _, first, second = made.task.baselines(made.raw, made.fitted)
    why = "it could be fitted to none of 12 windows in 30 s."
    assert (first.name, first.missing, second.missing) == ("AutoETS", why, why)


def test_only_the_naive_baseline_without_time_or_without_the_package(
    prepare: Make, lines: type[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table(shop("A", 40, 1.0), shop("B", 30, -2.0))
    made = prepare("forecasting", rows, data=ASIDE, baseline_seconds=0, **SHORT)
    assert len(made.task.baselines(made.raw, made.fitted)) == 1
    monkeypatch.setattr(statistical, "installed", lambda: False)
    other = made.task.section.model_copy(update={"baseline_seconds": 60.0})
    made.task.section = other
    assert len(made.task.baselines(made.raw, made.fitted)) == 1


def judged(*further: Baseline) -> Any:
    """Return a task whose first baseline may be beaten by further ones."""
    naive = Baseline("naive", Evaluation({"mae": 2.0}, errors=np.full(50, 2.0)))
    return SimpleNamespace(baselines=lambda raw, fitted: [naive, *further])


def test_the_verdict_is_on_the_hardest_baseline_also_when_the_network_loses() -> None:
    result = Evaluation({}, errors=np.ones(50))
    errors = np.full(50, np.nan)
    errors[:20] = 0.5
    baseline = Baseline("AutoETS", Evaluation({"mae": 0.5}, errors=errors))
    weak = Baseline("AutoTheta", Evaluation({"mae": 4.0}, errors=np.full(50, 4.0)))
    material: Any = type("Material", (), {"raw": None, "fitted": None})
    task = judged(baseline, weak)
    found = beside_baselines(task, material, result)
    assert found["baseline"] == {"name": "naive", "metrics": {"mae": 2.0}}
    assert [each["name"] for each in found["baselines"]] == ["AutoETS", "AutoTheta"]
    assert found["verdict"]["baseline"] == "AutoETS"
    assert found["verdict"]["outcome"] == "worse"
    assert found["verdict"]["difference"] == pytest.approx(1.0)
    assert found["baselines"][1]["verdict"]["difference"] == pytest.approx(-0.75)
    assert beside_baselines(judged(), material, result)["verdict"]["baseline"] == "naive"


def test_a_baseline_of_few_windows_is_shown_without_a_verdict() -> None:
    errors = np.full(50, np.nan)
    errors[:9] = 0.5
    task = judged(Baseline("AutoETS", Evaluation({"mae": 0.5}, errors=errors)))
    material: Any = type("Material", (), {"raw": None, "fitted": None})
    found = beside_baselines(task, material, Evaluation({}, errors=np.ones(50)))
    assert found["baselines"][0]["verdict"] is None
    assert found["verdict"]["baseline"] == "naive"
    found["baselines"][0]["advice"] = "A higher task.baseline_seconds gives it more windows."
    lines = [line.plain for line in metric_lines(found | {"metrics": {}})]
    assert lines[-1] == (
        "Too few rows or windows for a verdict: AutoETS. A higher task.baseline_seconds gives it "
        "more windows."
    )


@pytest.mark.parametrize("name", statistical.MODELS)
def test_statsforecast_forecasts_rising_quantiles_of_a_season(name: str) -> None:
    pytest.importorskip("statsforecast")
    noise = np.random.default_rng(0).normal(size=96) * 0.1
    past = 10 + np.sin(np.arange(96) * 2 * np.pi / 12) + noise
    model = statistical.StatisticalForecast(name, 12, 6, (0.05, 0.1, 0.5, 0.9))
    found = model.quantiles(past)
    assert found is not None
    assert found.shape == (6, 4)
    assert (np.diff(found, axis=1) > 0).all()
    truth = 10 + np.sin(np.arange(96, 102) * 2 * np.pi / 12)
    assert found[:, 2] == pytest.approx(truth, abs=0.3)
    assert model.quantiles(past[:1]) is None
