"""What only a GPU shows: QLoRA of a 7-billion Llama in 8 GB, and LoRA against full training at 1.

    python -m pytest tests/benchmarks/test_llama_cuda.py -s

Weights are random and made on the device, layer by layer. Without a GPU these skip, saying so.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from engine.adapters.frozen import compress_frozen
from engine.adapters.lora import with_adapter
from engine.adapters.nf4 import quantize
from engine.config.adapter import AdapterConfig
from engine.config.compute import ComputeConfig
from engine.config.train import TrainConfig
from engine.hardware.device import Compute, choose
from engine.models.token_losses import summed_loss
from engine.training.optimizer import build_optimizer, trainable_groups
from engine.training.state import parameter_count

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no CUDA device here, so this was not measured"
    ),
]
CAP = 8 * 10**9
TOKENS = 512
SEVEN = {
    "vocab_size": 32_000, "hidden_size": 4096, "intermediate_size": 11_008,
    "num_hidden_layers": 32, "num_attention_heads": 32,
}  # fmt: skip
"""Llama 2 7B."""
ONE = {
    "vocab_size": 128_256, "hidden_size": 2048, "intermediate_size": 8192,
    "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
    "tie_word_embeddings": True,
}  # fmt: skip
"""Llama 3.2 1B."""
ADAPTER = AdapterConfig(method="lora", r=16)


@dataclass(frozen=True)
class Cost:
    """Of an update."""

    seconds: float
    peak: int


@pytest.fixture
def compute() -> Iterator[Compute]:
    """The device in bfloat16, empty before and after."""
    chosen = choose(ComputeConfig(device="cuda", precision="bfloat16"))
    yield chosen
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1.0)


def grown_in_four_bits(shape: dict[str, Any], place: torch.device) -> Any:
    """A Llama with an adapter, made on the device layer by layer, each packed before the next."""
    config = transformers.LlamaConfig(**shape)
    layers, config.num_hidden_layers = config.num_hidden_layers, 0
    with place:
        network: Any = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        network.requires_grad_(False)
        for number in range(layers):
            layer: Any = with_adapter(LlamaDecoderLayer(config, number).bfloat16(), ADAPTER)
            quantize(layer, place, keep=set())
            network.model.layers.append(layer.get_base_model())
    config.num_hidden_layers = layers
    return network


def updates(network: nn.Module, compute: Compute, batch: int, train: TrainConfig) -> Cost:
    """Median time of a few updates as the trainer makes them, and the allocator's peak."""
    optimizer = build_optimizer(trainable_groups(network), train, compute.device)
    trained = [p for p in network.parameters() if p.requires_grad]
    ids = torch.randint(0, 32_000, (batch, TOKENS), device=compute.device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    network.train()
    times = []
    for _ in range(6):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        with compute.autocast():
            loss = summed_loss(network, inputs, ids) / ids.numel()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
        assert torch.isfinite(loss.detach())
    return Cost(median(times[2:]), torch.cuda.max_memory_allocated())


def test_seven_billion_parameters_learn_within_eight_gigabytes(compute: Compute) -> None:
    pytest.importorskip("bitsandbytes")
    total = torch.cuda.get_device_properties(compute.device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, CAP / total))
    torch.cuda.reset_peak_memory_stats()
    network: Any = grown_in_four_bits(SEVEN, compute.device)
    network.gradient_checkpointing_enable()
    network.disable_input_require_grads()
    compress_frozen(network, four_bits=False, compute=compute)
    assert parameter_count(network) > 6.7e9
    cost = updates(network, compute, 1, TrainConfig(optimizer="paged_adamw_8bit"))
    print(f"\nQLoRA 7B, 512 tokens: {cost.seconds:.2f} s a step, {cost.peak / 1e9:.2f} GB")
    assert cost.peak < CAP


def test_an_adapter_takes_less_time_and_memory_than_all_of_a_billion(compute: Compute) -> None:
    costs = {}
    for name, config in {"full": AdapterConfig(), "LoRA": ADAPTER}.items():
        torch.manual_seed(0)
        with compute.device:
            made = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**ONE))
        network = with_adapter(made, config)
        if config.active:
            compress_frozen(network, four_bits=False, compute=compute)
        torch.cuda.reset_peak_memory_stats()
        costs[name] = updates(network, compute, 4, TrainConfig())
        del made, network
        gc.collect()
        torch.cuda.empty_cache()
    full, lora = costs["full"], costs["LoRA"]
    print(
        f"\nLlama 1B in bf16, 4 texts of 512 tokens: full {full.seconds:.3f} s, "
        f"{full.peak / 1e9:.1f} GB; LoRA {lora.seconds:.3f} s, {lora.peak / 1e9:.1f} GB; "
        f"ratios {lora.seconds / full.seconds:.2f} and {lora.peak / full.peak:.2f}"
    )
    assert lora.seconds < full.seconds
    assert lora.peak < 0.6 * full.peak
