"""Targets that have no value in the rows of a split are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.config.run_config import RunConfig
from engine.pipelines.create import create_pipeline


@pytest.mark.parametrize("shops", [("A",), ("A", "B")])
def test_a_split_without_a_value_of_a_target_is_told(
    shops: tuple[str, ...], tmp_path: Path
) -> None:
    day = pd.date_range("2024-01-01", periods=100)
    heat = np.where(np.arange(100) < 72, np.arange(100.0) % 9, np.nan)
    table = pd.DataFrame({"day": day, "sales": np.arange(100) % 7, "heat": heat})
    whole = pd.concat([table.assign(shop=shop) for shop in shops]) if shops[1:] else table
    whole.to_csv(tmp_path / "sales.csv", index=False)
    task = {"kind": "forecasting", "window": 14, "horizon": 7, "targets": ["sales", "heat"]}
    source = {"kind": "file", "path": str(tmp_path / "sales.csv")}
    config = {"task": task, "data": source, "model": {"kind": "dlinear"}}
    raw = create_pipeline(RunConfig.parse(config)).load()
    # Of a hundred rows, 70 are trained on: the validation rows still have two values.
    [note] = [note for note in raw.notes if "errors do not count" in note.why]
    assert note.why == "heat: no row of test has a value, so its errors do not count there"
    assert (note.rows, note.kind) == (15 * len(shops), "doubt")
