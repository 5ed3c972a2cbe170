"""Notes on rows from which a language model cannot learn as they are, before a run begins."""

from __future__ import annotations

from typing import Any

import torch

from engine.data.fitted import Fitted
from engine.data.raw import RawData
from engine.errors import DataError
from engine.pipelines.numbered_rows import RowNumbers
from engine.pipelines.pipeline import DataPipeline
from engine.reports.note import Note
from engine.runs.events import Event
from engine.tasks.create import create_task
from engine.text.row_notes import of_split


def row_notes(
    pipeline: DataPipeline[Any],
    raw: RawData,
    fitted: Fitted,
    numbers: RowNumbers,
    most: int | None = None,
) -> list[Note]:
    """Return what a run would say of rows with answers to be learned, by writing them as it would.

    Looks at the first ``most`` rows of each split. Raises ``DataError`` where none can be learned.
    """
    notes: list[Note] = []
    task = create_task(pipeline.config)
    for split, table in raw.splits.items():
        if not table.num_rows:
            continue
        cut = most is not None and table.num_rows > most
        named = f"{split}, first {most:,} rows" if cut else split
        some = table.slice(0, most) if cut else table
        report = of_split(named, _ignore, numbers.get(split), notes)
        try:
            task.encode(some, fitted, torch.device("cpu"), report)
        except DataError:
            if not cut:  # the other rows may be learned
                raise
    return notes


def _ignore(event: Event) -> None:
    """Report nothing besides notes."""
