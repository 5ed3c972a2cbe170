"""The parts that ``compute.compile`` compiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from engine.adapters.lora import with_adapter
from engine.config.adapter import AdapterConfig
from engine.models.language import token_losses
from engine.models.language.token_losses import summed_loss
from engine.training.optimization.compiling import compile_network


@pytest.fixture(autouse=True)
def _nothing_compiled() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def llama(adapter: AdapterConfig) -> nn.Module:
    config = transformers.LlamaConfig(
        vocab_size=500, hidden_size=64, intermediate_size=128, num_hidden_layers=1,
        num_attention_heads=2,
    )  # fmt: skip
    return with_adapter(transformers.AutoModelForCausalLM.from_config(config), adapter).train()


def graphs_of_an_update(network: nn.Module) -> int:
    """The number of graphs passed to the compiler."""
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        del inputs
        graphs.append(graph)
        return graph.forward

    compile_network(network, backend=backend)
    ids = torch.randint(0, 500, (2, 16))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    torch.autograd.backward(summed_loss(network, inputs, ids))
    return len(graphs)


@pytest.mark.parametrize("chunk_bytes", [token_losses.CHUNK_BYTES, 1000], ids=["whole", "chunks"])
@pytest.mark.parametrize("method", ["none", "lora"])
def test_a_language_model_is_compiled_whether_logits_come_in_chunks_or_not(
    method: Any, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_losses, "CHUNK_BYTES", chunk_bytes)
    assert graphs_of_an_update(llama(AdapterConfig(method=method))) > 0
