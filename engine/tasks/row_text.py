"""A row of a table in words, for lists of samples and mistakes."""

from __future__ import annotations

from engine.batches.source import Batch
from engine.data.tables.features import decode_row
from engine.data.tables.schema import Features
from engine.files.sanitize import plain

_LONGEST = 160


def row_text(features: Features, batch: Batch, row: int) -> str:
    """Return the inputs of a row of a batch, each with the name of its column."""
    numbers = batch.inputs["numeric"][row].tolist()
    codes = batch.inputs["categorical"][row].tolist()
    values = decode_row(features, numbers, codes)
    text = ", ".join(f"{plain(name, 30)} {plain(value, 30)}" for name, value in values.items())
    return plain(text, _LONGEST)
