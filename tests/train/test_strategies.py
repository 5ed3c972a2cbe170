"""The strategy of several processes follows from the estimated memory of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import transformers
from torch.distributed.tensor import DTensor

from engine import RunConfig
from engine.config.train import TrainConfig
from engine.errors import ConfigError, TrainingError
from engine.files.paths import runs_folder
from engine.launch.start import start
from engine.runs.directory import RunDirectory
from engine.runs.events import Log
from engine.runs.status import State
from engine.service.estimate import estimate
from engine.training.checkpoints.store import listening_store
from engine.training.distributed.fsdp import FullySharded
from engine.training.distributed.process_group import join
from engine.training.distributed.strategy import Split, automatic, held

SIZES = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3,
         "num_attention_heads": 4}  # fmt: skip
TRAIN = TrainConfig(devices=4)


def llama() -> Any:
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES))


def test_a_network_is_measured_by_its_blocks_and_split_layers() -> None:
    network = llama()
    split = Split.of(network, 2)
    block = sum(p.nbytes for p in network.model.layers[0].parameters())
    everything = sum(p.nbytes for p in network.parameters())
    assert split.block == block
    assert split.outside == everything - 3 * block
    norms = sum(p.nbytes for p in network.parameters() if p.ndim == 1)
    assert split.layers == everything - norms
    assert Split.of(torch.nn.Linear(2, 2), 2).layers == 0


def test_each_process_holds_its_share() -> None:
    split = Split(outside=100, block=50, layers=800)
    assert held("ddp", 4, split, 1000, offload=False).rows == 0.25
    sharded = held("fsdp", 4, split, 1000, offload=False)
    assert (sharded.weights, sharded.optimizer, sharded.gathered) == (0.25, 0.25, 250)
    assert held("fsdp", 4, split, 1000, offload=True).optimizer == 0
    layers = held("tensor", 4, split, 1000, offload=False)
    assert (layers.weights, layers.rows) == (pytest.approx(0.4), 1)


@pytest.mark.parametrize(
    ("room", "refused", "strategy", "said"),
    [
        (1000, "", "ddp", "fits each process"),
        (500, "", "fsdp", "sharded it takes 40 MB."),
        (200, "", "tensor", "split by layers it takes 15 MB."),
        (50, "", "fsdp", "sharded it takes 40 MB, which does not fit either."),
        (140, "", "tensor", "split by layers it takes 15 MB, which does not fit either."),
        (500, "compute.compile: compiled networks cannot be", "ddp", "networks cannot be sharded"),
    ],
)
def test_the_first_strategy_that_fits_is_taken(
    room: int, refused: str, strategy: str, said: str
) -> None:
    needed = {"ddp": 900, "fsdp": 400, "tensor": 150 if room > 100 else 450}
    chosen, reason = automatic(
        TRAIN, Split(1, 1, 1), lambda _: refused, lambda one: needed[one] * 10**5, room * 10**5
    )
    assert (chosen, said in reason) == (strategy, True), reason


def test_layers_are_not_split_without_a_plan() -> None:
    needed = {"ddp": 900, "fsdp": 400, "tensor": 150}
    split = Split(1, 1, 0, "no plan")
    assert automatic(TRAIN, split, lambda _: "", needed.__getitem__, 200)[0] == "fsdp"


def language(folder: Path, **train: Any) -> RunConfig:
    (folder / "verse.txt").write_text("The owl and the cat went to sea in a boat.\n" * 60)
    return RunConfig.parse({
        "task": {"kind": "causal_lm", "max_length": 16, "max_new_tokens": 4},
        "data": {"kind": "file", "path": str(folder / "verse.txt")},
        "model": {"kind": "transformer", "vocab_size": 300, "hidden_size": 64, "dropout": 0.0,
                  "num_hidden_layers": 6, "num_attention_heads": 4},
        "train": {"max_steps": 2, "batch_size": 8} | train,
        "compute": {"device": "cpu", "threads": 1},
    })  # fmt: skip


@pytest.mark.slow
def test_the_estimate_tells_the_memory_of_each_process(tmp_path: Path) -> None:
    one, ddp, fsdp, tensor = (
        estimate(language(tmp_path, devices=devices, strategy=strategy)).memory
        for devices, strategy in ((1, "auto"), (4, "ddp"), (4, "fsdp"), (4, "tensor"))
    )
    assert ddp.weights == one.weights
    assert ddp.activations < one.activations / 2
    assert fsdp.optimizer == one.optimizer // 4
    assert one.weights / 4 < fsdp.weights < one.weights
    assert one.weights / 4 < tensor.weights < one.weights / 3.5
    # Of what the layers save a quarter is left; residuals, norms and logits are whole.
    assert one.activations / 4 < tensor.activations < 0.7 * one.activations


def test_the_estimate_tells_what_auto_takes(tmp_path: Path) -> None:
    notes = estimate(language(tmp_path, devices=2)).notes
    assert any("train.strategy auto takes ddp: The whole network fits" in note for note in notes)


def test_the_estimate_refuses_to_split_a_network_without_a_plan() -> None:
    config = RunConfig.parse({
        "task": {"kind": "tabular_classification"}, "model": {"kind": "mlp"},
        "data": {"kind": "builtin", "name": "iris"}, "compute": {"device": "cpu"},
        "train": {"devices": 2, "strategy": "tensor"},
    })  # fmt: skip
    with pytest.raises(TrainingError, match="no plan to split this network"):
        estimate(config)


def test_only_shards_are_offloaded() -> None:
    values = {"task": {"kind": "tabular_classification"}, "model": {"kind": "mlp"},
              "data": {"kind": "builtin", "name": "iris"}}  # fmt: skip
    with pytest.raises(ConfigError, match=r"train\.cpu_offload"):
        RunConfig.parse(values | {"train": {"cpu_offload": True}})
    RunConfig.parse(values | {"train": {"cpu_offload": True, "strategy": "fsdp"}})


@pytest.fixture
def alone() -> Iterator[None]:
    """A group of this process."""
    join(0, 1, listening_store("127.0.0.1", 0, dist.default_pg_timeout), torch.device("cpu"))
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("alone")
def test_offloaded_shards_are_updated_as_others() -> None:
    results = []
    for offload in (False, True):
        torch.manual_seed(0)
        network = FullySharded(0, 1, offload).shard(llama(), torch.device("cpu"))
        optimizer = torch.optim.AdamW(network.parameters(), fused=True)
        ids = torch.arange(12).reshape(2, 6)
        network(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        results.append([p.full_tensor() for p in network.parameters()])
        assert all(isinstance(p, DTensor) for p in network.parameters())
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)


@pytest.mark.usefixtures("alone")
def test_networks_of_images_are_sharded_in_any_layout_of_memory() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 4, 3))
    network = network.to(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    wanted = network(images)
    network = FullySharded(0, 1, False).shard(network, torch.device("cpu"))
    torch.testing.assert_close(network(images), wanted)


@pytest.mark.slow
def test_a_run_keeps_the_strategy_that_was_chosen_for_it(tmp_path: Path) -> None:
    run = RunDirectory.create(runs_folder(), language(tmp_path, devices=2))
    start(run).wait(240)
    assert run.status.state() is State.FINISHED, run.events.last()
    assert run.config.read().train.strategy == "ddp"
    assert any("train.strategy auto takes ddp. The whole network fits" in log.message
               for log in run.events.newest(Log))  # fmt: skip
