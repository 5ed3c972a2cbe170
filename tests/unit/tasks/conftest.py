"""Fixtures of tests of single tasks: small data as files, and a task that is fitted on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from torch import nn

from engine.batches.source import Batch, Source
from engine.config.run_config import RunConfig
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.pipelines.create import create_pipeline
from engine.pipelines.pipeline import DataPipeline
from engine.runs.events import Event
from engine.tasks.create import create_task
from engine.tasks.task import Task

CPU = torch.device("cpu")
TRANSFORMER = {
    "kind": "transformer", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
    "vocab_size": 100,
}  # fmt: skip
MODELS: dict[str, dict[str, Any]] = {
    "tabular_classification": {"kind": "mlp", "hidden": [4]},
    "tabular_regression": {"kind": "mlp", "hidden": [4]},
    "forecasting": {"kind": "dlinear", "kernel_size": 3},
    "image_classification": {"kind": "cnn", "channels": [4]},
    "image_regression": {"kind": "cnn", "channels": [4]},
    "semantic_segmentation": {"kind": "unet", "channels": [4]},
    "object_detection": {"kind": "centernet", "channels": [4, 4, 4]},
}
"""The smallest network of each task; the tasks on text have a transformer."""

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Prepared:
    """A task, its data, and what is fitted on the training rows."""

    task: Task[Any]
    raw: RawData
    fitted: Any
    events: list[Event] = field(default_factory=list)

    def encoded(self, table: pa.Table | Columns | None = None) -> Batch:
        """Return the rows of a table, or the training rows, as one batch."""
        rows = self.raw.train if table is None else _table(table)
        return _whole(self.task.encode(rows, self.fitted, CPU, self.events.append))

    def encoded_new(self, table: pa.Table | Columns) -> Batch:
        """Return the rows of a table to predict from as one batch."""
        return _whole(self.task.encode_new(_table(table), self.fitted, CPU, self.events.append))

    def ids(self, tokens: str | Sequence[str]) -> list[int]:
        """Return the numbers of tokens (or characters) in the vocabulary that was trained."""
        vocabulary = json.loads(self.fitted.tokenizer)["model"]["vocab"]
        return [vocabulary[token] for token in tokens]

    def network(self, seed: int = 0) -> Any:
        """Return a new network with random weights and without dropout."""
        torch.manual_seed(seed)
        return self.task.build_network(self.fitted).eval()

    def zeroed(self) -> Any:
        """Return a network whose parameters are all 0, for a test to set some of them."""
        network = self.network()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        return network

    def loss(self, network: nn.Module, batch: Batch) -> float:
        """Return the loss of one batch as a number."""
        return self.task.loss(network, batch).item()

    def predictions(self, network: nn.Module, table: pa.Table | Columns) -> list[dict[str, Any]]:
        """Return the records that a network gives for the rows of a table."""
        with torch.no_grad():
            return self.task.predict(network, self.encoded_new(table), self.fitted)


def _table(rows: pa.Table | Columns) -> pa.Table:
    return rows if isinstance(rows, pa.Table) else pa.table(dict(rows))


def _whole(source: Source) -> Batch:
    [batch] = source.read(source.plan(1000))
    return batch


def _write(rows: pa.Table | Columns, path: Path) -> None:
    """Write columns as JSON; a table, with the notes in its schema, as Parquet."""
    if isinstance(rows, pa.Table):
        pa.parquet.write_table(rows, path.with_suffix(".parquet"))
    else:
        path.with_suffix(".json").write_text(json.dumps(dict(rows)))


Configure = Callable[..., RunConfig]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Write rows as files, and return the configuration of a task for them.

    No rows are set aside for validation and test unless ``data`` has their fractions; ``model``
    changes fields of the usual one, or is another ``kind``.
    """
    folder = tmp_path / "data"
    folder.mkdir()

    def configured(
        kind: str,
        train: pa.Table | Columns,
        *,
        validation: pa.Table | Columns | None = None,
        test: pa.Table | Columns | None = None,
        data: Mapping[str, Any] | None = None,
        model: Mapping[str, Any] | None = None,
        **task: Any,
    ) -> RunConfig:
        for split, rows in ((TRAIN, train), (VALIDATION, validation), (TEST, test)):
            if rows is not None:
                _write(rows, folder / split)
        none_aside = {"validation_fraction": 0, "test_fraction": 0}
        usual = {} if "kind" in (model or {}) else MODELS.get(kind, TRANSFORMER)
        return RunConfig.parse({
            "task": {"kind": kind} | task,
            "data": {"kind": "file", "path": str(folder)} | none_aside | dict(data or {}),
            "model": usual | dict(model or {}),
        })  # fmt: skip

    return configured


@pytest.fixture
def pipeline(configure: Configure) -> Callable[..., DataPipeline[Any]]:
    """Write rows as files, and return the data pipeline of a task for them."""
    return lambda kind, *rows, **options: create_pipeline(configure(kind, *rows, **options))


@pytest.fixture
def prepare(configure: Configure) -> Callable[..., Prepared]:
    """Write rows as files, and return a task that is fitted on them."""

    def prepared(kind: str, *rows: pa.Table | Columns, **options: Any) -> Prepared:
        task = create_task(configure(kind, *rows, **options))
        raw = task.pipeline.load()
        return Prepared(task, raw, task.pipeline.fit(raw))

    return prepared
