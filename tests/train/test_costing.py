"""Estimated and measured memory and time of runs."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from torch.nn import functional as F

from engine import RunConfig
from engine.batches.source import Batch, epoch_plan
from engine.config.models.torchvision import TorchvisionConfig
from engine.hardware.device import Compute
from engine.launch.start import launch
from engine.models.language.token_losses import summed_loss
from engine.models.weights.to_download import bytes_to_download
from engine.reports.estimate import Estimate
from engine.runs.directory import RunDirectory
from engine.runs.events import Model, Progress
from engine.service.estimate import estimate
from engine.tasks.create import create_task
from engine.training.distributed.strategy import keep_part
from engine.training.material import prepare
from engine.training.memory import estimate as memory_estimate
from engine.training.memory.footprint import Footprint, Template, UnknownFootprint

COMPUTE = Compute(torch.device("cpu"), torch.float32, threads=1)


def config(task: str, data: str, model: dict[str, Any], **train: Any) -> RunConfig:
    return RunConfig.parse({
        "name": "cost",
        "task": {"kind": task},
        "data": {"kind": "builtin", "name": data},
        "model": model,
        "train": {"epochs": 3, "batch_size": 32} | train,
        "compute": {"device": "cpu", "threads": 1},
    })  # fmt: skip


def mlp(**train: Any) -> RunConfig:
    model = {"kind": "mlp", "hidden": [2048, 2048]}
    return config("tabular_classification", "breast-cancer", model, **train)


def cnn(**train: Any) -> RunConfig:
    return config("image_classification", "digits", {"kind": "cnn", "channels": [32, 64]}, **train)


def resnet(**train: Any) -> RunConfig:
    return config(
        "image_classification", "digits", {"kind": "torchvision", "name": "resnet18"}, **train
    )


def sharded(**train: Any) -> RunConfig:
    model = {"kind": "transformer", "vocab_size": 300, "hidden_size": 512, "dropout": 0.0,
             "num_hidden_layers": 8, "gradient_checkpointing": True}  # fmt: skip
    made = config("causal_lm", "docstrings", model, devices=2, strategy="fsdp", **train)
    return made.override(["data.max_samples=200"])


def run_of(config: RunConfig) -> RunDirectory:
    handle = launch(config)
    assert handle.wait() == 0, handle.run.log.read_text()
    return handle.run


def estimated_in_a_process(config: RunConfig) -> Estimate:
    """Estimate in a process like the terminal's, without the libraries loaded by other tests."""
    from engine.service.client import Advisor

    with Advisor() as advisor:
        return Estimate.from_record(advisor.ask("estimate", values=config.values()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "made", [mlp(max_steps=6),
             cnn(max_steps=6, batch_size=512),
             resnet(max_steps=6, batch_size=64),
             sharded(max_steps=4, batch_size=16)],
    ids=["mlp", "cnn", "resnet18", "sharded llama"],
)  # fmt: skip
def test_an_estimate_is_near_what_the_run_takes(made: RunConfig) -> None:
    told = estimated_in_a_process(made)
    run = run_of(made)
    model, last = run.events.last(Model), run.events.last(Progress)
    assert isinstance(model, Model)
    assert isinstance(last, Progress)
    assert (told.parameters, told.trainable) == (model.parameters, model.trainable)
    assert told.steps == model.steps
    assert told.memory.total == pytest.approx(last.memory, rel=0.2)


@pytest.mark.slow
def test_an_estimate_does_not_depend_on_what_was_estimated_before() -> None:
    """One of a compiled network imports torch's compiler into the process that answers."""
    from engine.service.client import Advisor

    eager, compiled = mlp(), mlp().override(["compute.compile=true"])
    alone = estimated_in_a_process(eager).memory.total
    with Advisor() as advisor:
        advisor.ask("estimate", values=compiled.values())
        after = Estimate.from_record(advisor.ask("estimate", values=eager.values()))
    assert after.memory.total == pytest.approx(alone, rel=0.05)


@pytest.mark.parametrize(
    ("train", "per_epoch", "steps"),
    [({}, 13, 39), ({"gradient_accumulation_steps": 4}, 4, 12), ({"max_steps": 5}, 13, 5)],
)
def test_steps_are_those_of_the_trainer(train: dict[str, int], per_epoch: int, steps: int) -> None:
    told = estimate(mlp(**train))
    assert (told.steps_per_epoch, told.steps) == (per_epoch, steps)


def test_a_batch_of_many_tokens_has_more_rows_than_are_estimated_by() -> None:
    """Of 2,800 short texts 256 are encoded for an estimate, and 20,000 tokens are 700 of them."""
    model = {"kind": "transformer", "hidden_size": 32, "num_hidden_layers": 1, "vocab_size": 300}
    made = config("seq2seq", "dates", model, batch_size=None, batch_tokens=20_000)
    task = create_task(made)
    source = prepare(task, COMPUTE, lambda event: None).sources["train"]
    batches = len(epoch_plan(source, made.train.batch_rows, 0, 0))
    told = estimate(made)
    assert told.steps_per_epoch == batches == 4
    tenth = estimate(made.override(["train.batch_tokens=2000"]))
    assert told.memory.activations == pytest.approx(10 * tenth.memory.activations, rel=0.05)


def test_the_optimizer_takes_what_it_keeps_of_each_weight() -> None:
    adam = estimate(mlp()).memory
    plain = estimate(mlp(optimizer="sgd", momentum=0)).memory
    heavy = estimate(mlp(optimizer="sgd", momentum=0.9)).memory
    assert adam.weights == adam.gradients == estimate(mlp()).parameters * 4
    assert (plain.optimizer, heavy.optimizer, adam.optimizer) == (
        0, adam.gradients, 2 * adam.gradients,
    )  # fmt: skip


def test_activations_grow_with_the_batch() -> None:
    small, large = estimate(cnn(batch_size=64)).memory, estimate(cnn(batch_size=640)).memory
    assert large.activations == pytest.approx(10 * small.activations, rel=0.1)


def test_packed_batches_take_the_memory_of_their_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_estimate, "_WORTH_TELLING", 1)
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": "q", "completion": "word " * (90 if n == 1 else 9)} for n in range(40)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    made = RunConfig.parse({
        "task": {"kind": "causal_lm", "max_length": 512},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "hidden_size": 64, "vocab_size": 300},
        "train": {"batch_size": 16}, "compute": {"device": "cpu", "threads": 1},
    })  # fmt: skip
    found = {
        packing: estimate(made.override([f"task.packing={packing}"]))
        for packing in ("on", "off", "auto")
    }
    activations = {packing: one.memory.activations for packing, one in found.items()}
    assert activations["on"] < 0.5 * activations["off"] == 0.5 * activations["auto"]
    told = {packing: [n for n in one.notes if "acking" in n] for packing, one in found.items()}
    assert [len(told[packing]) for packing in ("on", "off", "auto")] == [0, 0, 1]


def test_frozen_weights_have_neither_gradients_nor_an_optimizer() -> None:
    whole = estimate(resnet())
    head = estimate(resnet().override(["model.trainable=head"]))
    assert head.parameters == whole.parameters
    assert head.trainable < whole.trainable / 100
    assert head.memory.gradients == head.trainable * 4
    assert head.memory.activations < whole.memory.activations
    assert head.percent < 1


def test_the_largest_batch_just_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    # The memory of this process varies by megabytes meanwhile, which is dozens of these samples.
    monkeypatch.setattr(memory_estimate, "_libraries", lambda: 900 << 20)
    total = estimate(cnn(batch_size=128)).memory.total
    monkeypatch.setattr(memory_estimate, "available_bytes", lambda device: total)
    told = estimate(cnn(batch_size=128))
    assert told.verdict == "tight"
    assert told.largest_batch == pytest.approx(128, abs=12)
    assert estimate(cnn(batch_size=1024)).verdict == "does not fit"
    monkeypatch.setattr(memory_estimate, "available_bytes", lambda device: total * 2)
    assert estimate(cnn(batch_size=128)).verdict == "fits"
    monkeypatch.setattr(memory_estimate, "available_bytes", lambda device: 1)
    assert estimate(cnn(batch_size=128)).largest_batch == 0


def test_an_estimate_comes_back_from_its_record() -> None:
    told = estimate(mlp())
    assert Estimate.from_record(copy.deepcopy(told.record())) == told
    assert told.record()["verdict"] == told.verdict


def loss(network: nn.Module, batch: Batch) -> torch.Tensor:
    return F.cross_entropy(network(batch.inputs), batch.targets)


def template(*shape: int) -> Template:
    return Template(Batch(torch.zeros(2, *shape), torch.zeros(2, dtype=torch.int64)), 2)


def footprint(network: nn.Module) -> Footprint:
    return Footprint(network.to("meta"), loss, COMPUTE)


def test_a_footprint_counts_every_tensor_that_lives() -> None:
    network = nn.Sequential(nn.Linear(100, 200, bias=False), nn.ReLU(), nn.Linear(200, 10))
    peak = footprint(network).peak(template(100), 1000, rounds=1)
    saved = 1000 * (100 + 200 + 200 + 10 + 10 + 2) * 4  # inputs, two hidden, logits, targets
    gradients = (100 * 200 + 200 * 10 + 10) * 4
    assert saved * 0.9 < peak < saved * 1.5 + gradients


def test_a_footprint_knows_what_an_lstm_keeps() -> None:
    class Last(nn.LSTM):
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return super().forward(x)[0][:, -1]

    def peak(layers: int) -> int:
        network = Last(8, 128, num_layers=layers, batch_first=True)
        return footprint(network).peak(template(48, 8), 256, rounds=1)

    # Each further layer saves its states and, in a workspace, gates and cells: six values for one.
    states = 256 * 48 * 128 * 4
    assert peak(3) - peak(2) == pytest.approx(6 * states, rel=0.1)
    assert peak(1) > 6 * states


def test_logits_of_a_large_vocabulary_are_never_there_at_once() -> None:
    config = transformers.LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        vocab_size=100_000,
    )  # fmt: skip
    with torch.device("meta"):
        network = transformers.AutoModelForCausalLM.from_config(config)
    ids = torch.zeros(2, 512, dtype=torch.int64)
    batch = Batch({"input_ids": ids}, {"labels": ids})

    def chunked(network: nn.Module, batch: Batch) -> torch.Tensor:
        return summed_loss(network, batch.inputs, batch.targets["labels"])

    peak = Footprint(network, chunked, COMPUTE).peak(Template(batch, 2), 8, rounds=1)
    assert peak < 8 * 512 * 100_000 * 4 / 2


def llama(heads: int, width: int) -> nn.Module:
    config = transformers.LlamaConfig(
        hidden_size=64, intermediate_size=width, num_hidden_layers=2, num_attention_heads=heads,
        num_key_value_heads=heads, head_dim=16, vocab_size=50, use_cache=False,
    )  # fmt: skip
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(config)


def test_with_tensor_parallelism_the_activations_are_those_of_a_processs_heads() -> None:
    ids = torch.zeros(2, 64, dtype=torch.int64)
    batch = Batch({"input_ids": ids}, {"labels": ids})

    def of_tokens(network: nn.Module, batch: Batch) -> torch.Tensor:
        return summed_loss(network, batch.inputs, batch.targets["labels"])

    whole, part, half = llama(4, 256), llama(4, 256), llama(2, 128)
    keep_part(part, 2)
    prints = [Footprint(network, of_tokens, COMPUTE) for network in (whole, part, half)]
    peaks = [one.peak(Template(batch, 2), 16, rounds=1) for one in prints]
    assert prints[1].gradients == prints[2].gradients < prints[0].gradients
    assert peaks[1] == peaks[2] < peaks[0]


@pytest.mark.slow
def test_an_estimate_with_tensor_parallelism_counts_a_processs_part() -> None:
    """It computes all rows, but only a part of the layers that are split."""
    model = {"kind": "transformer", "vocab_size": 300, "hidden_size": 64}
    made = config("causal_lm", "docstrings", model).override(["data.max_samples=20"])
    one, part = (
        estimate(made.override(changes)).memory.activations
        for changes in ([], ["train.devices=2", "train.strategy=tensor"])
    )
    assert one / 2 < part < 0.9 * one


def test_a_footprint_takes_no_memory_and_no_weights() -> None:
    with torch.device("meta"):
        huge = nn.Sequential(nn.Linear(100_000, 100_000), nn.Linear(100_000, 10))
    peak = Footprint(huge, loss, COMPUTE).peak(template(100_000), 4096, rounds=1)
    assert peak > 100_000 * 100_000 * 4


def test_gradients_that_wait_for_the_next_batch_are_counted() -> None:
    network = footprint(nn.Linear(1000, 1000))
    shape = template(1000)
    assert network.peak(shape, 4, rounds=2) > network.peak(shape, 4, rounds=1)


def test_tied_weights_stay_tied() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(1000, 1000, bias=False)
            self.second = nn.Linear(1000, 1000, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x))

    with torch.device("meta"):
        network = Tied()
    Footprint(network, loss, COMPUTE)
    assert network.first.weight is network.second.weight


def test_a_network_whose_shapes_depend_on_its_values_is_reported() -> None:
    class Odd(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x[: int(x.sum().item())])

    with pytest.raises(UnknownFootprint):
        footprint(Odd(10, 2)).peak(template(10), 4, rounds=1)


def test_pre_trained_weights_that_are_not_on_this_machine_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    resnet = TorchvisionConfig(name="resnet18", pretrained=True)
    assert bytes_to_download(resnet) == pytest.approx(44.7 * 2**20, rel=0.01)
    assert bytes_to_download(TorchvisionConfig(name="resnet18")) == 0
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "resnet18-f37072fd.pth").touch()
    assert bytes_to_download(resnet) == 0
