"""Out-of-fold predictions: each row by the network that was tested on it, and their metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from torch import nn

from engine.data.on_disk import in_windows
from engine.data.raw import TEST
from engine.data.row_choice import traced
from engine.data.tables.features import ENCODED
from engine.errors import UserError
from engine.files.paths import expanded
from engine.pipelines.tables.fitted import TabularFitted
from engine.runs.events import finite_all
from engine.service import predict
from engine.service.column_predictions import free_name, predictor
from engine.service.prediction_file import check_output, write_table
from engine.tasks.tabular import TabularTask


def answer(runs: Sequence[str], output: str) -> dict[str, Any]:
    """Write the test rows of all ``runs``, the folds of one configuration, with predictions.

    Rows stand in the order in which they were read. A column ``fold`` counts from 1. Returns
    ``path``, ``rows``, and the ``metrics`` of all rows together with their ``intervals``.

    Raises :class:`~engine.errors.UserError`.
    """
    target = expanded(output)
    check_output(target, True)
    networks = [_loaded(run) for run in runs]
    rows, places, predicted, truth = [], [], [], []
    for task, fitted, network in networks:
        with traced() as trace:
            own, numbers = trace.taken_off(task.pipeline.load().splits[TEST])
        rows.append(own)
        places.append(numbers)
        pieces = in_windows(rows[-1], ENCODED)
        predicted.append(pa.concat_tables(map(predictor(task, fitted, network), pieces)))
        truth += rows[-1][fitted.target].chunks
    folds = [number for number, part in enumerate(rows, 1) for _ in range(part.num_rows)]
    together = pa.concat_tables(predicted, promote_options="default")
    table = pa.concat_tables(rows).replace_schema_metadata(None)
    found = {"fold": pa.array(folds)} | dict(zip(together.column_names, together, strict=True))
    for name, values in found.items():
        table = table.append_column(free_name(name, table.column_names), values)
    write_table(table.take(np.argsort(np.concatenate(places), kind="stable")), target)
    result = networks[0][0].pooled(together, pa.chunked_array(truth))
    return {
        "path": str(target.absolute()),
        "rows": table.num_rows,
        "metrics": finite_all(result.metrics),
        "intervals": dict(result.intervals),
    }


def _loaded(run: str) -> tuple[TabularTask[Any], TabularFitted, nn.Module]:
    task, fitted, network = predict.load(run)
    if not isinstance(task, TabularTask) or not isinstance(fitted, TabularFitted):
        raise UserError("Out-of-fold predictions are those of tables.", "Leave --output out.")
    return task, fitted, network
