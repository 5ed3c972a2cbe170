"""Doubts about values of series: marks of missing values, and totals beside their parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.config.run_config import RunConfig
from engine.pipelines.create import create_pipeline

DAYS = pd.date_range("2024-01-01", periods=200)


def notes(table: pd.DataFrame, folder: Path, **task: Any) -> list[str]:
    table.to_csv(folder / "table.csv", index=False)
    config = RunConfig.parse({
        "task": {"kind": "forecasting", "window": 14, "horizon": 7} | task,
        "data": {"kind": "file", "path": str(folder / "table.csv")},
        "model": {"kind": "dlinear"},
    })  # fmt: skip
    return [note.why for note in create_pipeline(config).load().notes]


def noise(seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(20, 2, len(DAYS)).round(1)


@pytest.mark.parametrize("shops", [("A",), ("A", "B")])
def test_values_far_from_all_others_are_told_with_their_time(
    shops: tuple[str, ...], tmp_path: Path
) -> None:
    heat = noise()
    heat[[40, 90]], heat[100] = -9999, 1e9
    table = pd.DataFrame({"day": DAYS, "heat": heat})
    if shops[1:]:
        table = pd.concat([table.assign(shop="A"), table.assign(shop="B", heat=noise(1))])
    found = [why for why in notes(table, tmp_path) if "standard deviations" in why]
    where = " in shop = A" * len(shops[1:])
    assert [why.split(", more")[0] for why in found] == [
        f"heat: 2 values, such as -9,999 at 2024-02-10{where}",
        f"heat: 1 value, such as 1e+09 at 2024-04-10{where}",
    ]


@pytest.mark.parametrize("values", [
    noise(), np.random.default_rng(3).poisson(0.05, 200), np.arange(200.0) ** 3,
    np.where(np.arange(200) % 50 == 7, 900.0, noise()),
    np.exp(np.random.default_rng(4).normal(size=200)),
], ids=["noise", "rare sales", "growth", "spikes that come back", "skewed"])  # fmt: skip
def test_usual_values_are_no_doubt(values: Any, tmp_path: Path) -> None:
    table = pd.DataFrame({"day": DAYS, "sales": values})
    known = [why for why in notes(table, tmp_path) if "standard deviations" in why]
    # Four of two hundred values are as far as -9,999 would be; they are asked about.
    assert len(known) == int((values == 900).any())


def shops(total: float = 1.0) -> pd.DataFrame:
    parts = [pd.DataFrame({"day": DAYS, "shop": s, "sales": noise(n)}) for n, s in enumerate("ABC")]
    whole = pd.concat(parts).groupby("day", as_index=False)["sales"].sum()
    return pd.concat([*parts, whole.assign(shop="all", sales=(total * whole["sales"]).round(1))])


def test_a_series_that_is_the_sum_of_the_others_is_told(tmp_path: Path) -> None:
    said = "shop = all is the sum of all other series: it is learned, and its errors count"
    assert any(why.startswith(said) for why in notes(shops(), tmp_path))
    assert not any("sum of all" in why for why in notes(shops(1.01), tmp_path))
    # Some days are missing in one of the shops.
    gaps = shops()
    gaps = gaps[~((gaps["shop"] == "A") & (gaps["day"].dt.day == 9))]
    assert any(why.startswith(said) for why in notes(gaps, tmp_path))


def test_series_that_are_named_as_sums_are_told(tmp_path: Path) -> None:
    parts = [shops().assign(region=region) for region in "NS"]
    whole = pd.concat(parts)
    said = (
        "2 series, such as region = N, shop = all, are named as sums of others: they are learned, "
        "and their errors count, beside their parts"
    )
    assert said in notes(whole[["day", "shop", "region", "sales"]], tmp_path)
    alone = whole[whole["shop"] == "all"]
    assert not any("named as sums" in why for why in notes(alone, tmp_path))


def test_numbers_of_rows_are_no_input_and_no_target(tmp_path: Path) -> None:
    table = pd.DataFrame({"day": DAYS, "sales": noise(), "id": range(5, 205)})
    found = notes(table, tmp_path)
    assert "not used: id (int64)" in found
    assert not any("is forecast" in why for why in found)
    assert "not used: id (int64)" not in notes(table, tmp_path, inputs=["id"])
