"""The files of an exported model's weights, written tensor by tensor.

As transformers writes them: one, or several of a bounded size with an index of their contents.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import huggingface_hub
import torch
from torch import Tensor

from engine.files import atomic
from engine.models.weights.weightless import INDEX, WEIGHTS, StoredWeight, write_weightless

LARGEST = 50_000_000_000
"""Bytes of a file, as in transformers."""
_OFFSET = 8
"""Bytes before the header of a file of safetensors: its length."""
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
        write_weightless(weights, path)
        with path.open("r+b") as opened:
            opened.seek(int.from_bytes(opened.read(_OFFSET), "little") + _OFFSET)
            for name in weights:
                value = value_of(name).detach().cpu().contiguous()
                value.flatten().view(torch.uint8).numpy().tofile(opened)
    if len(files) > 1:
        _write_index(files)


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
