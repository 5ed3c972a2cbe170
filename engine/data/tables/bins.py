"""Bins of numbers, cut at quantiles of the training rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.tables.features import encode_rows
from engine.data.tables.schema import Features


def bin_edges(values: NDArray[np.float32], bins: int) -> list[float]:
    """Return the edges of at most ``bins`` bins of a column, in rising order.

    Quantiles of the values, in which no value counts more than the rows of one bin: a column that
    is mostly zero has its bins among the other values.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= bins + 1:
        return [float(value) for value in distinct]
    shares = np.minimum(counts, len(values) / bins)
    ranks = np.cumsum(shares)
    wanted = np.linspace(ranks[0], ranks[-1], bins + 1)
    places = np.unique(np.searchsorted(ranks, wanted * (1 - 1e-12)))
    return [float(value) for value in distinct[places]]


def fit_edges(features: Features, table: pa.Table, bins: int) -> list[list[float]]:
    """Return the edges for each numeric feature, as training rows encode it; none for 0 bins."""
    if not bins:
        return []
    numbers, _ = encode_rows(features, table)
    return [bin_edges(column, bins) for column in numbers.T]
