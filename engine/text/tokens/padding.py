"""Lists of different lengths as rectangular tensors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor


def lengths_of(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The length of each list."""
    return np.asarray(pa.compute.list_value_length(column).to_numpy(), np.int64)


def counts_without(column: pa.ChunkedArray, left_out: int) -> NDArray[np.int64]:
    """The number of values of each list that are not ``left_out``."""
    counts = []
    for lists in column.chunks:
        ends = np.concatenate([[0], np.cumsum(lists.flatten().to_numpy() != left_out)])
        lengths = np.asarray(pa.compute.list_value_length(lists).to_numpy(), np.int64)
        counts.append(np.diff(ends[np.concatenate([[0], np.cumsum(lengths)])]))
    return np.concatenate([np.zeros(0, np.int64), *counts])


def padded(column: pa.ChunkedArray, fill: int) -> Tensor:
    """Lists of numbers as int64 ``[rows, longest]``, filled up on the right."""
    lists = column.combine_chunks()
    lengths = lengths_of(column)
    result = np.full((len(lengths), int(lengths.max(initial=0))), fill, np.int64)
    # Row by row, the places that are not padding are just the values one after the other.
    result[np.arange(result.shape[1]) < lengths[:, None]] = lists.flatten().to_numpy()
    return torch.from_numpy(result)


def mask_of(column: pa.ChunkedArray) -> Tensor:
    """1 where :func:`padded` has a value and 0 where it is filled up, int64."""
    lengths = torch.from_numpy(lengths_of(column))
    longest = int(lengths.max()) if len(lengths) else 0
    return (torch.arange(longest) < lengths[:, None]).long()
