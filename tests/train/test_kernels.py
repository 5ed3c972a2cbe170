"""Fused kernels: used for one network alone, and told of where there are none."""

from __future__ import annotations

from types import MethodType
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers.models.llama import modeling_llama

from engine import RunConfig, train
from engine.hardware.device import Compute
from engine.models.language import kernels
from engine.runs.events import Log

CUDA = Compute(torch.device("cuda"), torch.float32, 1)


class Fused(nn.Module):
    """Stands for a class of Liger, which computes on CUDA only."""


def fused_forward(self: Any, states: Tensor) -> Tensor:
    return states * self.weight


def patch(model: Any, options: dict[str, bool]) -> None:
    """Patch as Liger does: the classes of the module, and the layers of the model."""
    assert not any(options.values())
    if model.config.model_type != "llama":
        return
    modeling_llama.LlamaRMSNorm = Fused
    for part in model.modules():
        if "RMSNorm" in type(part).__name__:
            part.forward = MethodType(fused_forward, part)


def llama() -> Any:
    config = transformers.LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2,
    )  # fmt: skip
    return transformers.AutoModelForCausalLM.from_config(config)


@pytest.fixture
def liger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "find_spec", lambda name: name == "liger_kernel")
    monkeypatch.setattr(kernels, "apply_liger_kernel", patch)


@pytest.mark.usefixtures("liger")
def test_one_network_is_patched_and_later_ones_are_not() -> None:
    patched = llama()
    assert not kernels.use_kernels(patched, CUDA)
    assert patched.model.norm.forward.__func__ is fused_forward
    assert type(llama().model.norm).__name__ == "LlamaRMSNorm"


@pytest.mark.usefixtures("liger")
def test_a_network_without_fused_kernels_is_told_of() -> None:
    config = transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2)
    network = transformers.AutoModelForCausalLM.from_config(config)
    assert "none for networks of the kind gpt2" in kernels.use_kernels(network, CUDA)
    assert kernels.use_kernels(nn.Linear(2, 2), CUDA) == "the network is none of transformers"


def test_kernels_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "find_spec", lambda name: None)
    assert "pip install 'dltui[liger]'" in kernels.use_kernels(llama(), CUDA)


def test_a_run_on_the_cpu_says_that_it_has_no_fused_kernels() -> None:
    values = {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"},
        "model": {"kind": "mlp"},
        "train": {"max_steps": 1},
        "compute": {"device": "cpu", "kernels": "auto"},
    }
    run = train(RunConfig.parse(values))
    said = [event.message for event in run.events.newest(Log) if isinstance(event, Log)]
    assert any("compute.kernels" in text and "need CUDA" in text for text in said)
