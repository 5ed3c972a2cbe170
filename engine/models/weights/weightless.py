"""A model's weights by their names and shapes alone: enough to see whether a network finds its own.

Only the heads of the files are read, from a folder or by the hub's ranges: a second for a model of
any size.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub.errors import (
    LocalEntryNotFoundError,
    NotASafetensorsRepoError,
    SafetensorsParsingError,
)

from engine.files.paths import is_folder

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
_METADATA = "__metadata__"
_LONGEST_HEAD = 100_000_000
"""Bytes: safetensors itself takes no longer head."""


class DamagedWeights(ValueError):
    """A file of weights, or an index of several, that is not whole."""


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """A tensor in a file: its type as safetensors names it, its shape, and its bytes."""

    dtype: str
    shape: tuple[int, ...]
    size: int


def stored_weights(place: str, revision: str) -> dict[str, StoredWeight]:
    """Return the weights of a folder or of a model on the hub, by name.

    Raises ``OSError`` and ``ValueError`` where there are none in safetensors format, or none that
    can be read.
    """
    found = {name: weight for name, (_, weight) in local_weights(place, revision).items()}
    return found if found or is_folder(Path(place)) else _weights_on_hub(place, revision)


def local_weights(place: str, revision: str) -> dict[str, tuple[Path, StoredWeight]]:
    """Return the weights in files on this machine, each with its file, by name.

    There are none of a model on the hub that was not downloaded. Each file is read once. Raises
    ``OSError`` and ``ValueError`` where one cannot be read.
    """
    folder = Path(place)
    files = _files_in(folder) if is_folder(folder) else _cached(place, revision)
    return {
        name: (path, weight) for path in files for name, weight in weights_in_file(path).items()
    }


def write_weightless(weights: Mapping[str, StoredWeight], path: Path) -> None:
    """Write a file with these weights that has no content, and so takes no room on the disk.

    Raises ``OSError``.
    """
    with path.open("wb") as file:
        file.write(head_of(weights))
        file.truncate(file.tell() + sum(weight.size for weight in weights.values()))


def head_of(
    weights: Mapping[str, StoredWeight], metadata: Mapping[str, str] | None = None
) -> bytes:
    """Return the head of a file of safetensors, which the bytes of ``weights`` follow in order."""
    head: dict[str, Any] = {_METADATA: {"format": "pt", **(metadata or {})}}
    end = 0
    for name, weight in weights.items():
        offsets = [end, end := end + weight.size]
        head[name] = {"dtype": weight.dtype, "shape": weight.shape, "data_offsets": offsets}
    encoded = json.dumps(head).encode()
    encoded += b" " * (-len(encoded) % 8)
    return struct.pack("<Q", len(encoded)) + encoded


def _files_in(folder: Path) -> list[Path]:
    index = folder / INDEX
    if (folder / WEIGHTS).is_file() or not index.is_file():
        return [folder / WEIGHTS]
    return [folder / name for name in _shards(index)]


def _shards(index: Path) -> list[str]:
    try:
        names = set(json.loads(index.read_text())["weight_map"].values())
        if not all(Path(name).name == name for name in names):
            raise ValueError
    except (TypeError, AttributeError, KeyError, ValueError):
        raise DamagedWeights(f"{index.name} is not an index of weights") from None
    return sorted(names)


def weights_in_file(path: Path) -> dict[str, StoredWeight]:
    """Return the weights of a file, by name; raises :class:`DamagedWeights`."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path.name} (safetensors)")
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        weights = _in_head(file.read(length)) if length <= _LONGEST_HEAD else None
    if weights is None:
        raise DamagedWeights(f"{path.name} is not a file of weights")
    if path.stat().st_size != 8 + length + sum(weight.size for weight in weights.values()):
        raise DamagedWeights(f"{path.name} is incomplete")
    return weights


def _in_head(head: bytes) -> dict[str, StoredWeight] | None:
    """Return the weights that the head of a file names; ``None`` where it is no such head."""
    try:
        entries: dict[str, Any] = json.loads(head)
        return {
            name: _weight(one["dtype"], one["shape"], one["data_offsets"])
            for name, one in entries.items()
            if name != _METADATA
        }
    except (TypeError, AttributeError, KeyError, ValueError):
        return None


def _weight(dtype: object, shape: Iterable[int], offsets: Sequence[int]) -> StoredWeight:
    begin, end = offsets
    return StoredWeight(str(dtype), tuple(shape), end - begin)


def _weights_on_hub(name: str, revision: str) -> dict[str, StoredWeight]:
    if huggingface_hub.is_offline_mode():
        raise LocalEntryNotFoundError(f"{name} has no weights on this machine")
    try:
        found = huggingface_hub.get_safetensors_metadata(name, revision=revision)
    except (NotASafetensorsRepoError, SafetensorsParsingError) as error:
        raise OSError(str(error)) from error
    return {
        weight: _weight(info.dtype, info.shape, info.data_offsets)
        for file in found.files_metadata.values()
        for weight, info in file.tensors.items()
    }


def _cached(name: str, revision: str) -> list[Path]:
    """Return the files of weights in the hub's cache on this machine; none unless all are there."""

    def find(file: str) -> Path | None:
        found = huggingface_hub.try_to_load_from_cache(name, file, revision=revision)
        return Path(found) if isinstance(found, str) else None

    index = find(INDEX)
    files = [find(file) for file in (_shards(index) if index else [WEIGHTS])]
    return [file for file in files if file] if all(files) else []
