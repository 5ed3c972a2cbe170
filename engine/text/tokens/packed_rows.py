"""Samples one after the other in one row, without padding."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from engine.batches.source import Batch
from engine.data.labels import IGNORED
from engine.text.tokens.padding import lengths_of


def packed(samples: pa.Table) -> Batch:
    """Return samples with ``input_ids`` and ``labels`` as a batch of one row.

    Positions begin anew with each sample. Targets have the places that are ``learned``, their
    ``labels``, and the ``lengths`` of the samples.
    """
    ids, labels = _end_to_end(samples["input_ids"]), _end_to_end(samples["labels"])
    lengths = lengths_of(samples["input_ids"]).tolist()
    positions = torch.from_numpy(np.concatenate([np.arange(length) for length in lengths]))
    learned = (labels != IGNORED).nonzero().flatten()
    targets = {"labels": labels[learned], "learned": learned, "lengths": tuple(lengths)}
    # A batch whose answers are all cut off counts as nothing, and must not divide by it.
    return Batch(
        {"input_ids": ids[None], "position_ids": positions[None]}, targets, max(1, len(learned))
    )


def _end_to_end(column: pa.ChunkedArray) -> Tensor:
    return torch.from_numpy(column.combine_chunks().flatten().to_numpy().astype(np.int64))
