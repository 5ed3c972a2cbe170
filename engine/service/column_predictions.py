"""Predictions of many rows of a table, column by column: no object for a row or for a value.

The rows are encoded and predicted a piece at a time, on all cores, while those before are written.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import torch
from torch import nn

from engine.data.fitted import Fitted
from engine.data.on_disk import in_windows
from engine.data.tables.features import ENCODED
from engine.models.tables.boosted_trees import BoostedTrees
from engine.models.tables.tabm_inference import in_fewer_operations
from engine.tasks.tabular import TabularTask

Predict = Callable[[pa.Table], pa.Table]


def predictor(
    task: TabularTask[Any], fitted: Fitted, network: nn.Module, bfloat16: bool = False
) -> Predict:
    """Return a function of inputs that gives their predictions as columns."""

    faster = in_fewer_operations(network)

    def predict(inputs: pa.Table) -> pa.Table:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return _predicted(task, fitted, faster, inputs)

    return predict


def predicted_pieces(predict: Predict, inputs: pa.Table, whole: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows of ``whole``, each piece with the predictions from its ``inputs`` behind."""
    whole = whole.replace_schema_metadata(None)
    begin = 0
    with _one_thread_each():
        for predicted in _in_turn(predict, in_windows(inputs, ENCODED)):
            rows = whole.slice(begin, predicted.num_rows)
            begin += predicted.num_rows
            yield _beside(rows, predicted)


def _predicted(
    task: TabularTask[Any], fitted: Fitted, network: nn.Module, table: pa.Table
) -> pa.Table:
    cpu = torch.device("cpu")
    with torch.inference_mode():
        source = task.encode_new(table, fitted, cpu, lambda event: None)
        # Trees divide the rows of a batch among their leaves.
        size = ENCODED if isinstance(network, BoostedTrees) else task.predicted_rows
        batches = source.read(source.plan(size))
        outputs = torch.cat([network(batch.inputs) for batch in batches])
        return pa.table(task.predicted_columns(outputs, fitted))


def _beside(rows: pa.Table, predicted: pa.Table) -> pa.Table:
    """Return the rows with their predictions, whose names give way to those of the rows."""
    for name, values in zip(predicted.column_names, predicted.columns, strict=True):
        rows = rows.append_column(free_name(name, rows.column_names), values)
    return rows


def free_name(name: str, taken: Sequence[str]) -> str:
    """Return a name for a column of predictions that no other column has."""
    if name in taken:
        name = f"predicted {name}"
    while name in taken:
        name += "_"
    return name


def _in_turn(predict: Predict, pieces: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Predict some pieces at a time, and yield them in their order."""
    cores = os.cpu_count() or 1
    waiting: deque[Future[pa.Table]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for piece in pieces:
            waiting.append(pool.submit(predict, piece))
            if len(waiting) > cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let a product take one core: the pieces take all."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
