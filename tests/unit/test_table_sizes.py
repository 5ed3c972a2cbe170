"""Bins of numbers, and sizes of network and training that go by the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from engine.config.run_config import RunConfig
from engine.data.tables.bins import bin_edges
from engine.data.tables.schema import Features, NumericFeature
from engine.pipelines.tables.sizes import automatic_sizes

TABLE = RunConfig.parse({
    "task": {"kind": "tabular_regression"},
    "data": {"kind": "builtin", "name": "diabetes"},
    "model": {"kind": "tabm"},
})  # fmt: skip


def features(numbers: int) -> Features:
    made = [NumericFeature(column=str(i), part="value", mean=0, std=1) for i in range(numbers)]
    return Features(columns=[], numeric=made, categorical=[])


def sizes(config: RunConfig, rows: int, numbers: int = 10) -> dict[str, str]:
    found: Sequence[str] = list(automatic_sizes(config, rows, features(numbers)))
    return dict(text.split("=") for text in found)  # type: ignore[misc]


def test_bins_hold_equally_many_rows() -> None:
    values = np.random.default_rng(0).normal(size=4800).astype(np.float32)
    edges = bin_edges(values, 48)
    assert len(edges) == 49
    counts, _ = np.histogram(values, edges)
    assert counts.min() >= 99
    assert counts.max() <= 102
    assert (edges[0], edges[-1]) == (values.min(), values.max())


def test_a_few_values_are_edges_themselves() -> None:
    assert bin_edges(np.array([3, 1, 1, 2], np.float32), 48) == [1.0, 2.0, 3.0]


def test_a_value_of_most_rows_leaves_the_bins_to_the_others() -> None:
    others = np.concatenate([np.arange(-50, 0), np.arange(1, 51)])
    edges = bin_edges(np.concatenate([np.zeros(900), others]).astype(np.float32), 10)
    # 200 rows count, 20 a bin: 100 of the zeros, for no value has more than a tenth of 1,000.
    assert edges == pytest.approx([-50, -30, -10, 0, 10, 30, 50], abs=1)


def test_empty_fields_go_by_rows_and_columns() -> None:
    found = sizes(TABLE, rows=10_000)
    assert found["train.batch_size"] == "256"
    assert found["train.epochs"] == "24"
    assert found["model.embedding_size"] == "16"
    assert sizes(TABLE, rows=10_000, numbers=60)["model.embedding_size"] == "4"
    assert sizes(TABLE, rows=700)["train.batch_size"] == "32"
    assert int(sizes(TABLE, rows=1_000_000)["train.epochs"]) < 24


def test_fields_that_are_set_stay() -> None:
    config = TABLE.override(["train.epochs=3", "model.width=64"])
    assert not {"train.epochs", "model.width"} & set(sizes(config, 10_000))


def test_another_model_has_no_sizes_by_the_data() -> None:
    assert sizes(TABLE.override(["model.kind=mlp"]), 10_000) == {}
