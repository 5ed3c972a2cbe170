"""Architectures as GGUF knows them: names and values of metadata, and the form of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from engine.errors import TrainingError
from engine.processes.later import Later

gguf = Later("gguf")

Array = NDArray[np.float32]
_ROPE = ("default", "linear", "llama3")
_LOCAL_THETA = 10_000.0
"""Base of the rotary positions in local layers of Gemma 3, which llama.cpp takes for granted."""


@dataclass(frozen=True)
class Family:
    """One architecture of llama.cpp."""

    name: str
    permuted: bool = False
    """Whether rows of queries and keys are interleaved, as the first Llama had them."""
    shifted_norms: bool = False
    """Whether norms are stored with one added, which transformers adds while it computes."""
    local_layers: int = 0
    """Number of layers of which one reads all tokens, the others a sliding window; 0 for none."""


FAMILIES = {
    "llama": Family("llama", permuted=True),
    "mistral": Family("llama", permuted=True),
    "qwen2": Family("qwen2"),
    "qwen3": Family("qwen3"),
    "gemma2": Family("gemma2", shifted_norms=True, local_layers=2),
    "gemma3_text": Family("gemma3", shifted_norms=True, local_layers=6),
}
"""By model type of transformers."""


def family_of(config: Any) -> Family:
    """Return the family of a network's configuration; raises :class:`TrainingError` if unsuited."""
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise TrainingError(
            f"Models of type {config.model_type} cannot be written as GGUF here.",
            f"Supported types are {', '.join(FAMILIES)}; vllm takes others.",
        )
    for reason in _hindrances(config, family):
        raise TrainingError(
            f"This model cannot be written as GGUF: {reason}, which llama.cpp does not compute.",
            "Export it for vllm.",
        )
    return family


def _hindrances(config: Any, family: Family) -> Iterator[str]:
    """Yield what llama.cpp would compute otherwise."""
    if (kind := rope_of(config).get("rope_type", "default")) not in _ROPE:
        yield f"its rotary positions are scaled by {kind}"
    if getattr(config, "use_sliding_window", False):
        yield "its layers read a sliding window"
    if family.local_layers:
        if config.query_pre_attn_scalar != config.head_dim:
            yield f"queries are scaled by {config.query_pre_attn_scalar}, not by the head's size"
        if list(config.layer_types) != _layer_types(config, family):
            yield "its local layers are in an unusual order"
    if family.name == "gemma3":
        local = config.rope_parameters["sliding_attention"]
        if local["rope_theta"] != _LOCAL_THETA or local.get("rope_type", "default") != "default":
            yield f"local layers have rotary positions of base {local['rope_theta']:g}"
        if config.final_logit_softcapping or config.attn_logit_softcapping:
            yield "its logits are soft-capped"


def _layer_types(config: Any, family: Family) -> list[str]:
    return [
        "full_attention" if number % family.local_layers == 0 else "sliding_attention"
        for number in range(1, config.num_hidden_layers + 1)
    ]


def rope_of(config: Any) -> Mapping[str, Any]:
    """Return the parameters of the rotary positions in layers that read all tokens."""
    rope: Mapping[str, Any] = config.rope_parameters
    everywhere: Mapping[str, Any] = rope.get("full_attention", rope)
    return everywhere


def head_size(config: Any) -> int:
    """Return the size of one attention head."""
    size: int | None = getattr(config, "head_dim", None)
    return size or config.hidden_size // config.num_attention_heads


def context_length(config: Any) -> int:
    """Return the longest text; of a Mistral with a sliding window as much as one layer reads."""
    longest = int(config.max_position_embeddings)
    if config.model_type == "mistral" and config.sliding_window:
        return min(longest, int(config.sliding_window))
    return longest


def describe(writer: Any, config: Any, family: Family) -> None:
    """Write the metadata of the network."""
    rope = rope_of(config)
    writer.add_context_length(context_length(config))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_key_length(head_size(config))
    writer.add_value_length(head_size(config))
    writer.add_rope_dimension_count(head_size(config))
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    writer.add_vocab_size(config.vocab_size)
    if rope.get("rope_type") == "linear":
        writer.add_rope_scaling_type("linear")
        writer.add_rope_scaling_factor(float(rope["factor"]))
    if family.local_layers:
        writer.add_sliding_window(config.sliding_window)
    if family.name == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)


def weights_of(network: nn.Module, family: Family) -> Iterator[tuple[str, Array]]:
    """Yield the weights by transformers' names, in the form of llama.cpp."""
    config: Any = network.config
    for name, value in network.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = value.detach().float().cpu().numpy()
        if family.permuted and "self_attn.q_proj" in name:
            array = _interleaved(array, config.num_attention_heads)
        elif family.permuted and "self_attn.k_proj" in name:
            array = _interleaved(array, config.num_key_value_heads)
        elif family.shifted_norms and name.endswith("norm.weight"):
            array = array + 1
        yield name, np.ascontiguousarray(array)


def _interleaved(array: Array, heads: int) -> Array:
    """Return the rows of each head with its two halves interleaved."""
    halves = array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:])
    return halves.swapaxes(1, 2).reshape(array.shape)


def rope_factors(config: Any) -> Array | None:
    """Return the divisors of the rotary frequencies of Llama 3.1 and later; None for others."""
    rope = rope_of(config)
    if rope.get("rope_type") != "llama3":
        return None
    size, base = head_size(config), float(rope["rope_theta"])
    frequencies = [base ** -(number / size) for number in range(0, size, 2)]
    return np.array([_factor(frequency, rope) for frequency in frequencies], np.float32)


def _factor(frequency: float, rope: Mapping[str, Any]) -> float:
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], float(rope["factor"])
    turns = rope["original_max_position_embeddings"] * frequency / (2 * math.pi)
    if turns > high:
        return 1.0
    if turns < low:
        return factor
    smooth = float((turns - low) / (high - low))
    return 1 / ((1 - smooth) / factor + smooth)


def tensor_names(family: Family, layers: int, names: Sequence[str]) -> dict[str, str]:
    """Return GGUF's names of tensors by those of transformers; raises :class:`TrainingError`."""
    arch = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}[family.name]
    names_map = gguf.get_tensor_name_map(arch, layers)
    found = {name: names_map.get_name(name, try_suffixes=(".weight", ".bias")) for name in names}
    for name, place in found.items():
        if place is None:
            raise TrainingError(f"GGUF has no name for the weight {name[:100]}.")
    return {name: str(place) for name, place in found.items()}
