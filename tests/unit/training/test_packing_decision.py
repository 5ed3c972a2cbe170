"""Whether batches of a training are packed: tried with the network itself, and told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import datasets
import pytest
import torch
import transformers
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.data.raw import TRAIN
from engine.errors import TrainingError
from engine.hardware.device import Compute
from engine.models.language.segments import SEGMENTS
from engine.text.tokens.padding import mask_of, padded
from engine.text.tokens.source import TokenSource
from engine.training.distributed.process_group import SingleProcess
from engine.training.packing import pack_batches

CPU = torch.device("cpu")
LENGTHS = (3, 17, 1, 9)


class Others(SingleProcess):
    """A group in which another process cannot pack its samples."""

    def any(self, here: bool) -> bool:
        return True


class Run:
    """A training as far as packing goes: what is set, what is settled and what is told."""

    def __init__(
        self, packing: str = "auto", lengths: tuple[int, ...] = LENGTHS, compile: bool = False
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        ids = [torch.randint(1, 60, (size,), generator=generator).tolist() for size in lengths]
        self.source = TokenSource(datasets.Dataset.from_dict({"input_ids": ids}), _collate, CPU)
        self.settled: list[list[str]] = []
        self.told: list[str] = []
        self.group: SingleProcess = SingleProcess()
        self.section = SimpleNamespace(packing=packing)
        self.config = SimpleNamespace(compute=SimpleNamespace(compile=compile))

    def pack(self, network: nn.Module, resumed: bool = False) -> None:
        session = SimpleNamespace(
            config="settled",
            settle=lambda changes, write: self.settled.append(changes),
            events=SimpleNamespace(write=lambda event: self.told.append(event.message)),
        )
        training: Any = SimpleNamespace(
            session=session,
            task=SimpleNamespace(section=self.section, config=self.config),
            compute=Compute(CPU, torch.float32, 1),
            group=self.group,
        )
        material: Any = SimpleNamespace(sources={TRAIN: self.source})
        pack_batches(training, material, network, resumed)


def _collate(table: Any) -> Batch:
    ids = table["input_ids"]
    return Batch({"input_ids": padded(ids, 0), "attention_mask": mask_of(ids)}, torch.zeros(1))


def llama(**more: Any) -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=61, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=64, pad_token_id=0, **more,
    )  # fmt: skip
    network: Any = transformers.LlamaForCausalLM(config)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.3)  # so that attention matters
    return network


class Leaks(nn.Module):
    """A network that sees the samples before its own: it adds up all tokens of the row."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = llama()

    def forward(self, input_ids: Tensor, logits_to_keep: Tensor, **options: Any) -> Any:
        sums = input_ids.float().cumsum(1)[:, logits_to_keep]
        return SimpleNamespace(logits=sums[..., None])


class Refuses(Leaks):
    """A network whose code fails on such rows."""

    def forward(self, *args: Any, **options: Any) -> Any:
        raise KeyError("position\x1b[31m_ids")


def test_samples_that_do_not_see_each_other_are_packed() -> None:
    run, network = Run(), llama()
    run.pack(network)
    assert run.source.packed
    assert run.settled == [["task.packing=on"]]
    assert run.told == []
    assert network.config._attn_implementation == SEGMENTS


def test_two_samples_are_enough_to_try() -> None:
    run = Run(lengths=(5, 2))
    run.pack(llama())
    assert run.source.packed


def test_the_network_stays_in_its_mode() -> None:
    for training in (True, False):
        network = llama().train(training)
        Run().pack(network)
        assert network.training is training


def test_a_network_that_sees_other_samples_is_not_packed() -> None:
    run, network = Run(), Leaks()
    before = network.inner.config._attn_implementation
    run.pack(network)
    assert not run.source.packed
    assert run.settled == [["task.packing=off"]]
    [told] = run.told
    assert told.startswith("Batches are not packed: the outputs of packed samples differ from")
    assert network.inner.config._attn_implementation == before


def test_a_network_that_fails_on_packed_samples_is_not_packed() -> None:
    run = Run()
    run.pack(Refuses())
    assert not run.source.packed
    assert run.told == [
        "Batches are not packed: the network takes no packed samples ('position\\x1b[31m_ids')."
    ]


def test_memory_that_runs_out_is_no_reason_against_packing() -> None:
    """It is handled where batches are made smaller."""

    class Large(Leaks):
        def forward(self, *args: Any, **options: Any) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(torch.OutOfMemoryError):
        Run().pack(Large())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"compile": True}, "a compiled network would be compiled anew"),
        ({"lengths": (4,)}, "there is only one sample"),
        ({}, "the network is none of transformers"),
    ],
)
def test_what_cannot_be_packed_is_told_before_it_is_tried(
    options: dict[str, Any], why: str
) -> None:
    run = Run(**options)
    run.pack(nn.Linear(1, 1))
    assert not run.source.packed
    [told] = run.told
    assert why in told


def test_eager_attention_is_not_packed() -> None:
    run, network = Run(), llama(attn_implementation="eager")
    run.pack(network)
    assert not run.source.packed
    assert "eager attention" in run.told[0]
    assert network.config._attn_implementation == "eager"


def test_packing_that_is_asked_for_and_impossible_is_an_error() -> None:
    run = Run("on")
    with pytest.raises(TrainingError, match=r"task\.packing: the outputs .*task\.packing=auto"):
        run.pack(Leaks())
    assert (run.settled, run.told) == ([], [])


def test_packing_that_is_asked_for_needs_no_settling() -> None:
    run = Run("on")
    run.pack(llama())
    assert run.source.packed
    assert run.settled == []


def test_all_processes_pack_or_none() -> None:
    run = Run("on")
    run.group = Others()
    with pytest.raises(TrainingError, match="another process cannot pack its samples"):
        run.pack(llama())


@pytest.mark.parametrize("packing", ["off", "auto"])
def test_a_resumed_run_packs_only_if_it_did_before(packing: str) -> None:
    run = Run(packing)
    run.pack(llama(), resumed=True)
    assert not run.source.packed
    assert run.settled == []


def test_a_resumed_run_that_was_packed_is_not_tried_again() -> None:
    run = Run("on")
    run.pack(Leaks(), resumed=True)
    assert run.source.packed


def test_other_sources_and_tasks_are_left_alone() -> None:
    run = Run("on")
    run.section = SimpleNamespace()
    run.pack(Leaks())
    assert not run.source.packed
