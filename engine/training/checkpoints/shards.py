"""The sharded tensors of a checkpoint: each process writes its own, and reads the parts it needs.

By torch.distributed.checkpoint, in the format of safetensors: unlike its default format, which is
pickled, that holds no code. A state with sharded tensors is kept as the same state with empty
tensors (on torch's device ``meta``) in their places, and files beside it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import (
    HuggingFaceStorageReader,
    HuggingFaceStorageWriter,
)
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.checkpoint.storage import WriteResult
from torch.distributed.tensor import DTensor
from torch.futures import Future
from typing_extensions import override

from engine.models.weights.weightless import StoredWeight
from engine.training.checkpoints.peers import PeerLost, among_peers, lost_a_peer
from engine.training.checkpoints.weight_files import write_file

_SHARDS, _OFFSETS = "DCP_SHARDING_INFO", "saved_offsets"
"""Keys in a file's metadata by which torch's reader finds the place of each shard in its tensor."""
_DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
Fill = Callable[[str, Tensor], Tensor]
"""Returns the tensor to read into, from a name and an empty tensor of the whole shape."""


def split(state: Any, name: str = "") -> tuple[Any, dict[str, DTensor]]:
    """Return a state with empty tensors for the sharded ones, and those by name."""
    found: dict[str, DTensor] = {}
    written: set[int] = set()

    def emptied(name: str, value: Tensor) -> Tensor:
        if not isinstance(value, DTensor):
            return value
        address = value.to_local().data_ptr()
        # A file of safetensors has no two tensors in the same memory, as tied weights are.
        if address in written:
            value = cast(DTensor, value.clone())
        found[name] = value
        written.add(address)
        return torch.empty(value.shape, dtype=value.dtype, device="meta")

    return _mapped(state, emptied, name), found


class ShardWriter:
    """This process's part in writing the sharded tensors of a checkpoint."""

    def __init__(self, rank: int, group: Any) -> None:
        """``group`` is a process group for this alone: a thread writes while others train."""
        self._rank = rank
        self._group = group

    def write(self, folder: Path, tensors: dict[str, DTensor]) -> dict[str, dict[str, Any]]:
        """Write this process's shards into ``folder``, which the main process has made.

        Returns the digests of all processes' files by name. Raises ``OSError`` and
        :class:`~engine.training.checkpoints.peers.PeerLost`.
        """
        writer = _Writer(folder / f"shard-{self._rank + 1:05}.safetensors")
        with among_peers():
            dist.barrier(self._group)  # the folder is there
        try:
            save(tensors, storage_writer=writer, process_group=self._group)
        except CheckpointException as error:
            raise _first(error) from error
        except RuntimeError as error:
            if lost_a_peer(error):
                raise PeerLost(str(error)) from error
            raise
        parts: list[Any] = [None] * dist.get_world_size(self._group)
        with among_peers():
            dist.all_gather_object(parts, writer.digests, self._group)
        return {name: found for part in parts for name, found in part.items()}


class _Writer(HuggingFaceStorageWriter):
    """Writes a file of this process's shards and computes its digest meanwhile.

    torch itself would copy all of them before it writes them, and the file be read a second time.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(str(file.parent), save_distributed=True)
        self._file = file
        self.digests: dict[str, dict[str, Any]] = {}
        """The digest of what was written, by the name of the file."""

    @override
    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        shards: dict[str, Tensor] = {}
        offsets: dict[str, Any] = {}
        for item in plan.items:
            assert item.tensor_data is not None
            name = item.index.fqn
            shards[name] = cast(Tensor, planner.resolve_data(item))
            offsets[name] = {_OFFSETS: list(item.tensor_data.chunk.offsets)}
        if shards:
            # In a file, numbers lie at multiples of their size, as in memory.
            names = sorted(shards, key=lambda name: -shards[name].itemsize)
            stored = {name: _stored(shards[name]) for name in names}
            metadata = {_SHARDS: json.dumps(offsets)}
            found = write_file(self._file, stored, shards.__getitem__, metadata)
            self.digests[self._file.name] = found
        done: Future[list[WriteResult]] = Future()
        done.set_result([])
        return done


def _stored(tensor: Tensor) -> StoredWeight:
    return StoredWeight(_DTYPES[tensor.dtype], tuple(tensor.shape), tensor.nbytes)


def read(state: Any, folder: Path, fill: Fill) -> Any:
    """Return a state that :func:`split` emptied with tensors from ``folder``.

    ``fill`` decides for each whether it is read whole or in part. Raises ``OSError`` and
    ``RuntimeError`` where files are missing or do not fit.
    """
    wanted: dict[str, Tensor] = {}

    def filled(name: str, value: Tensor) -> Tensor:
        if value.device.type != "meta":
            return value
        wanted[name] = fill(name, value)
        return wanted[name]

    whole = _mapped(state, filled)
    if wanted:
        reader = HuggingFaceStorageReader(str(folder))
        with warnings.catch_warnings():
            # Each process has all files before it, and nothing is communicated: torch warns of it.
            warnings.simplefilter("ignore", UserWarning)
            load(wanted, storage_reader=reader, no_dist=True)
    return whole


def whole(name: str, empty: Tensor) -> Tensor:
    """Read all of each tensor."""
    del name
    return torch.empty_like(empty, device="cpu")


def _mapped(value: Any, change: Fill, name: str = "") -> Any:
    """Return a state with each of its tensors changed."""
    if isinstance(value, Tensor):
        return change(name, value)
    if isinstance(value, Mapping):
        return {key: _mapped(part, change, f"{name}/{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_mapped(p, change, f"{name}/{i}") for i, p in enumerate(value))
    return value


def _first(error: CheckpointException) -> Exception:
    """Return the error of the first process that could not write."""
    cause = next(iter(error.failures.values()))[0]
    return cause if isinstance(cause, Exception) else OSError(str(cause))
