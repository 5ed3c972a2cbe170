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
