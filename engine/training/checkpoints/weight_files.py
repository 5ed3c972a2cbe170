"""The files of an exported model's weights, written tensor by tensor.

As transformers writes them: one, or several of a bounded size with an index of their contents.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
from torch import Tensor
from typing_extensions import Buffer

from engine.files import atomic
from engine.models.weights.weightless import INDEX, WEIGHTS, StoredWeight, head_of

LARGEST = 50_000_000_000
"""Bytes of a file, as in transformers."""
Files = Mapping[Path, Mapping[str, StoredWeight]]
"""The weights of each file, in the order in which they are stored."""


def files_of(stored: Mapping[str, StoredWeight], file: Path, largest: int = LARGEST) -> Files:
    """Return the files for weights that ``file`` has no room for, or ``file`` alone.

    Weights of this program's own networks stay in one file, as they have no index.
    """
    if file.name != WEIGHTS:
        return {file: stored}
    split = huggingface_hub.split_state_dict_into_shards_factory(
        dict(stored),
        get_storage_size=lambda weight: weight.size,
        filename_pattern=f"{file.stem}{{suffix}}{file.suffix}",
        max_shard_size=largest,
    )
    return {
        file.with_name(name): {weight: stored[weight] for weight in weights}
        for name, weights in split.filename_to_tensors.items()
    }


def write_files(files: Files, value_of: Callable[[str], Tensor]) -> None:
    """Write the weights, each asked for in turn. Raises ``OSError``."""
    for path, weights in files.items():
        write_file(path, weights, value_of)
    if len(files) > 1:
        _write_index(files)


def write_file(
    path: Path,
    weights: Mapping[str, StoredWeight],
    value_of: Callable[[str], Tensor],
    metadata: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write a file of weights, each asked for in turn, and sync it; return its digest.

    Raises ``OSError``.
    """
    found = hashlib.sha256()
    parts: Iterator[Buffer] = map(_bytes, map(value_of, weights))
    with path.open("wb") as file:
        for part in chain([head_of(weights, metadata)], parts):
            file.write(part)
            found.update(part)
        file.flush()
        os.fsync(file.fileno())
        return {"sha256": found.hexdigest(), "size": file.tell()}


def _bytes(value: Tensor) -> memoryview:
    whole = value.detach().cpu().contiguous()
    return whole.flatten().view(torch.uint8).numpy().data


def _write_index(files: Files) -> None:
    whole = [weight for weights in files.values() for weight in weights.values()]
    index = {
        "metadata": {
            "total_parameters": sum(math.prod(weight.shape) for weight in whole),
            "total_size": sum(weight.size for weight in whole),
        },
        "weight_map": {name: path.name for path, weights in files.items() for name in weights},
    }
    atomic.write_json(next(iter(files)).with_name(INDEX), index)
