"""Large language models: QLoRA at 7 billion in 8 GB, and LoRA against full fine-tuning at 1.

Weights are random and made on the device, since no result depends on their values. Updates use the
engine's parts: adapter, quantization, loss in chunks, optimizer, autocast. Other parts of the
benchmark use such networks as a model of a plug-in.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch
from part import Part, Skipped, main
from torch import nn

from engine.adapters.frozen import compress_frozen
from engine.adapters.lora import with_adapter
from engine.adapters.nf4 import quantize
from engine.batches.source import Batch
from engine.config.adapter import AdapterConfig
from engine.config.compute import ComputeConfig
from engine.config.fields import option
from engine.config.models.transformer import TransformerConfig
from engine.config.train import TrainConfig
from engine.hardware.device import Compute, choose
from engine.models.language.token_losses import summed_loss
from engine.training.checkpoints.state import parameter_count
from engine.training.optimization.optimizer import build_optimizer, trainable_groups

CAP = 8 * 10**9
"""Bytes of device memory within which 7 billion parameters must be fine-tuned."""
WARM = 2
"""Warm-up updates, which are not timed."""
ADAPTER = AdapterConfig(method="lora", r=16)
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
TINY = {
    "vocab_size": 1000, "hidden_size": 128, "intermediate_size": 256,
    "num_hidden_layers": 2, "num_attention_heads": 4,
}  # fmt: skip
"""A tiny shape for smoke tests."""


class RandomTransformer(TransformerConfig):
    """A BERT or a Llama with random weights, made on the device, with a vocabulary of any size."""

    kind: Literal["random_transformer"] = "random_transformer"  # type: ignore[assignment]
    title = "transformer with random weights"
    tasks = ("causal_lm", "text_classification")
    implementation = "llama:build_random"
    base_name = "llama:base_of_random"

    num_key_value_heads: int = option(0, "Heads of keys and values; 0 takes as many as of queries")


def base_of_random(config: RandomTransformer) -> str:
    """A name like that of pre-trained weights, so that an adapter is saved without its base."""
    del config
    return "random weights"


def build_random(config: RandomTransformer, shape: Any) -> nn.Module:
    """Build the network of a section on the default device: in seconds, not minutes as on a CPU."""
    import transformers

    size = {
        "vocab_size": max(config.vocab_size, shape.vocabulary),
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size or 4 * config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "max_position_embeddings": max(512, shape.max_length),
        "pad_token_id": shape.pad_token_id,
    }
    if shape.head == "causal_lm":
        heads = config.num_key_value_heads or config.num_attention_heads
        made = transformers.LlamaConfig(
            **size, num_key_value_heads=heads, tie_word_embeddings=True,
            bos_token_id=shape.bos_token_id, eos_token_id=shape.eos_token_id,
        )  # fmt: skip
        return transformers.AutoModelForCausalLM.from_config(made)
    bert = transformers.BertConfig(**size, num_labels=len(shape.labels))
    return transformers.AutoModelForSequenceClassification.from_config(bert)


def offer_random_transformers(folder: Path) -> None:
    """Register :class:`RandomTransformer` with the engine, like a model of a plug-in."""
    about = folder / "dltui_random_transformers-1.dist-info"
    about.mkdir(parents=True)
    lines = "Metadata-Version: 2.1", "Name: dltui-random-transformers", "Version: 1", ""
    (about / "METADATA").write_text("\n".join(lines))
    entry = "[dltui.models]\nrandom_transformer = llama:RandomTransformer\n"
    (about / "entry_points.txt").write_text(entry)
    sys.path.append(str(folder))


@dataclass(frozen=True)
class Cost:
    """Time and memory of an update."""

    seconds: float
    peak: int | None
    """Peak bytes; ``None`` where the device does not report them."""


def language_model(shape: dict[str, Any], adapter: AdapterConfig, compute: Compute) -> nn.Module:
    """A Llama with random weights, made on the device; frozen ones in the compute precision."""
    import transformers

    torch.manual_seed(0)
    with compute.device:
        made = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**shape))
    network = with_adapter(made, adapter)
    if adapter.active:
        compress_frozen(network, four_bits=False, compute=compute)
    return network.to(compute.device).train()


def grown_in_four_bits(shape: dict[str, Any], place: torch.device) -> Any:
    """A Llama with an adapter, made on the device layer by layer, each quantized before the next.

    So the device never holds more than one layer that is not quantized.
    """
    import transformers
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer

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


def updates(
    network: nn.Module, compute: Compute, texts: int, tokens: int, train: TrainConfig, count: int
) -> Cost:
    """Cost of updates on texts of one length."""
    ids = torch.randint(0, 1000, (texts, tokens), device=compute.device)
    batch = Batch({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, ids, ids.numel())

    def loss(network: nn.Module, batch: Batch) -> torch.Tensor:
        return summed_loss(network, batch.inputs, batch.targets) / batch.weight

    return timed(network, compute, batch, loss, train, count)


def timed(
    network: nn.Module,
    compute: Compute,
    batch: Batch,
    loss_of: Callable[[nn.Module, Batch], torch.Tensor],
    train: TrainConfig,
    count: int,
) -> Cost:
    """Median time of some updates as the engine makes them, and the allocator's peak."""
    optimizer = build_optimizer(trainable_groups(network), train, compute.device)
    trained = [p for p in network.parameters() if p.requires_grad]
    network.train()
    times = []
    for _ in range(WARM + count):
        _synchronize(compute)
        begin = time.perf_counter()
        with compute.autocast():
            loss = loss_of(network, batch)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        _synchronize(compute)
        times.append(time.perf_counter() - begin)
        if not torch.isfinite(loss.detach()):
            raise AssertionError("the loss is not finite")
    on_gpu = compute.device.type == "cuda"
    return Cost(median(times[WARM:]), compute.peak_memory() if on_gpu else None)


def _synchronize(compute: Compute) -> None:
    if compute.device.type == "cuda":
        torch.cuda.synchronize(compute.device)


@contextmanager
def capped(compute: Compute) -> Iterator[None]:
    """Limit torch's allocator to :data:`CAP` bytes, if the device is a GPU."""
    if compute.device.type != "cuda":
        yield
        return
    total = torch.cuda.get_device_properties(compute.device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, CAP / total))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def clear(compute: Compute) -> None:
    """Release unreferenced memory and reset the peak."""
    gc.collect()
    if compute.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(compute.device)


def within_a_cap(part: Part, compute: Compute) -> None:
    """QLoRA of 7 billion parameters, with gradient checkpointing and a paged 8-bit optimizer."""
    with part.measured("7 billion parameters, QLoRA within 8 GB") as row:
        if not (part.cuda or part.smoke):
            raise Skipped("no CUDA device")
        if find_spec("bitsandbytes") is None:
            raise Skipped("bitsandbytes is missing: make gpu-wheels-bitsandbytes")
        shape, tokens = (TINY, 32) if part.smoke else (SEVEN, 512)
        clear(compute)
        with capped(compute):
            network: Any = grown_in_four_bits(shape, compute.device)
            network.gradient_checkpointing_enable()
            network.disable_input_require_grads()
            compress_frozen(network, four_bits=False, compute=compute)
            row |= {"parameters": parameter_count(network), "tokens": tokens, "batch_size": 1}
            optimizer = "paged_adamw_8bit" if part.cuda else "adamw_8bit"
            train = TrainConfig(optimizer=optimizer)  # type: ignore[arg-type]
            cost = updates(network, compute, 1, tokens, train, 2 if part.smoke else 10)
        row |= {"updates_per_second": 1 / cost.seconds, "tokens_per_second": tokens / cost.seconds}
        if cost.peak is not None:
            row |= {"peak_gb": cost.peak / 1e9, "within_cap": cost.peak < CAP}


def against_full(part: Part, compute: Compute) -> None:
    """LoRA in bfloat16 against full fine-tuning: step times, memory, and their ratios."""
    with part.measured("1 billion, LoRA against full fine-tuning") as row:
        if not (part.cuda or part.smoke):
            raise Skipped("no CUDA device")
        shape, texts, tokens = (TINY, 2, 32) if part.smoke else (ONE, 4, 512)
        row |= {"tokens": tokens, "batch_size": texts}
        costs = {}
        for name, adapter in {"full": AdapterConfig(), "lora": ADAPTER}.items():
            clear(compute)
            network = language_model(shape, adapter, compute)
            row["parameters"] = parameter_count(network)
            count = 2 if part.smoke else 20
            costs[name] = updates(network, compute, texts, tokens, TrainConfig(), count)
            row[f"{name}_step_seconds"] = costs[name].seconds
            if costs[name].peak is not None:
                row[f"{name}_peak_gb"] = costs[name].peak / 1e9
            del network
        full, lora = costs["full"], costs["lora"]
        row["lora_time_ratio"] = lora.seconds / full.seconds
        if full.peak and lora.peak:
            row["lora_memory_ratio"] = lora.peak / full.peak


def rows(part: Part) -> None:
    """Measure the rows; those that need an empty device come first."""
    device: Any = part.device
    compute = choose(
        ComputeConfig(device=device, precision="bfloat16", threads=0 if part.cuda else 1)
    )
    within_a_cap(part, compute)
    against_full(part, compute)


if __name__ == "__main__":
    main(rows)
