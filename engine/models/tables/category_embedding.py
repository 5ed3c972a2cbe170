"""Embeddings of the categories of a table's column."""

from __future__ import annotations

import torch
from torch import nn


def category_embedding(cardinality: int, size: int) -> nn.Embedding:
    """Return an embedding of ``cardinality`` codes, of which 0 stands for unknown categories."""
    table = nn.Embedding(cardinality, size)
    with torch.no_grad():
        # Unknown categories start at zero, the mean of the initialisation.
        table.weight[0].zero_()
    return table
