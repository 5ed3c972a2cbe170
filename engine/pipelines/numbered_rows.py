"""The data of a pipeline, with the number that each row has in its file."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.lost_splits import refuse_lost
from engine.data.raw import RawData
from engine.data.row_choice import traced
from engine.errors import DataError
from engine.pipelines.pipeline import DataPipeline

RowNumbers = Mapping[str, NDArray[np.int64]]
"""By split, the number of each row in the file it was read from, from 0; -1 where it was lost."""


def load_numbered(pipeline: DataPipeline[Any]) -> tuple[RawData, RowNumbers]:
    """Load the data, with the numbers of rows where conversations need them.

    Raises ``DataError``.
    """
    data = pipeline.config.data
    if not pipeline.config.task.converses:
        return refuse_lost(pipeline.load(), data), {}
    # The message of an error must not name the column that carries the numbers.
    with contextlib.suppress(DataError), traced() as trace:
        raw = refuse_lost(pipeline.load(), data)
        splits, numbers = {}, {}
        for split, table in raw.splits.items():
            splits[split], found = trace.taken_off(table)
            numbers[split] = trace.in_split(found)
        return replace(raw, splits=splits), numbers
    return refuse_lost(pipeline.load(), data), {}
