"""Sharded tensors of a checkpoint are written beside it, verified, and read whole or in part."""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from engine.training.checkpoints import checkpoint, shards
from engine.training.checkpoints.store import listening_store


@pytest.fixture
def group() -> Iterator[Any]:
    """A process group of this process alone."""
    store = listening_store("127.0.0.1", 0, dist.default_pg_timeout)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield dist.group.WORLD
    dist.destroy_process_group()


def sharded(*shape: int) -> DTensor:
    values = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)
    return distribute_tensor(values, init_device_mesh("cpu", (1,)), [Shard(0)])


def saved(folder: Path, step: int, state: dict[str, Any], group: Any) -> checkpoint.Checkpoint:
    rest, tensors = shards.split(state)
    write = partial(shards.ShardWriter(0, group).write, tensors=tensors)
    return checkpoint.save(folder, step, rest, 3, write)


def test_a_sharded_state_is_the_same_when_one_process_reads_it(tmp_path: Path, group: Any) -> None:
    weight, bias = sharded(6, 4), torch.ones(3)
    state = {
        "network": {"a.weight": weight, "tied.weight": weight, "a.bias": bias},
        "optimizer": {"state": {0: {"exp_avg": sharded(5, 2), "step": torch.tensor(7.0)}}},
        "position": {"step": 3},
    }
    made = saved(tmp_path, 3, state, group)
    newest, read, damaged = checkpoint.load_newest(tmp_path)
    assert newest is not None
    assert (newest.step, newest.size, damaged) == (3, made.size, [])
    assert read["position"] == {"step": 3}
    rows = torch.arange(24.0).reshape(6, 4)
    for name in ("a.weight", "tied.weight"):
        assert torch.equal(read["network"][name], rows)
    assert torch.equal(read["network"]["a.bias"], bias)
    moments = read["optimizer"]["state"][0]
    assert torch.equal(moments["exp_avg"], torch.arange(10.0).reshape(5, 2))
    assert moments["step"] == 7
    # Another library reads the same numbers; no file holds code.
    (file,) = made.path.glob("*.safetensors")
    assert torch.equal(load_file(file)["/network/a.weight"], rows)


def test_a_part_is_read_without_the_rest(tmp_path: Path, group: Any) -> None:
    saved(tmp_path, 1, {"network": {"w": sharded(4, 2)}}, group)
    _, state, _ = checkpoint.load_newest(tmp_path, sharded=True)
    assert state["network"]["w"].device.type == "meta", "nothing is read before it is asked for"

    def like(name: str, empty: Tensor) -> Tensor:
        assert (name, empty.shape) == ("/network/w", (4, 2))
        return sharded(4, 2) * 0

    read = shards.read(state, Path(state["shards"]), like)["network"]["w"]
    assert isinstance(read, DTensor)
    assert torch.equal(read.to_local(), torch.arange(8.0).reshape(4, 2))


@pytest.mark.parametrize("harm", ["bit", "missing", "extra"])
def test_a_shard_that_is_damaged_leads_to_the_checkpoint_before(
    tmp_path: Path, group: Any, harm: str
) -> None:
    for step in (1, 2):
        saved(tmp_path, step, {"network": {"w": sharded(4, 2)}}, group)
    newest, before = checkpoint.found(tmp_path)
    (file,) = newest.path.glob("*.safetensors")
    if harm == "bit":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    elif harm == "missing":
        file.unlink()
    else:
        file.with_name("shard-00009-model-00001-of-00001.safetensors").write_bytes(
            file.read_bytes()
        )
    found, state, damaged = checkpoint.load_newest(tmp_path)
    assert found == before
    assert [one.path for one in damaged] == [newest.path]
    assert torch.equal(state["network"]["w"], torch.arange(8.0).reshape(4, 2))


def test_numbers_of_each_type_are_read_with_their_bits(tmp_path: Path, group: Any) -> None:
    mesh = init_device_mesh("cpu", (1,))
    # The bytes of the first would leave those of the wider ones at odd places.
    parts = {
        str(dtype): (torch.arange(13) * 19 % 7).to(dtype)
        for dtype in (torch.bool, torch.uint8, torch.int8, torch.bfloat16, torch.float16,
                      torch.int16, torch.float32, torch.int32, torch.float64, torch.int64)
    } | {"none": torch.empty(0, 3), "rows": torch.arange(12.0).view(3, 4).T}  # fmt: skip
    state = {name: DTensor.from_local(part, mesh, [Shard(0)]) for name, part in parts.items()}
    made = saved(tmp_path, 1, state, group)
    _, read, _ = checkpoint.load_newest(tmp_path)
    torch.testing.assert_close(read, parts, rtol=0, atol=0)
    (file,) = made.path.glob("*.safetensors")
    of_another_library = {name.removeprefix("/"): part for name, part in load_file(file).items()}
    torch.testing.assert_close(of_another_library, parts, rtol=0, atol=0)
    written = json.loads((made.path / "manifest.json").read_text())["files"][file.name]
    content = file.read_bytes()
    assert written == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def test_a_full_disk_is_told_as_such(tmp_path: Path, group: Any) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, most))
    try:
        with pytest.raises(checkpoint.TrainingFailed, match="File too large"):
            saved(tmp_path, 1, {"network": {"w": sharded(1 << 8, 1 << 8)}}, group)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert not list(tmp_path.iterdir())
