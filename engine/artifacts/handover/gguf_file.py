"""A language model as one GGUF file, for llama.cpp and all that is built on it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from engine.artifacts.handover.families import (
    Array,
    describe,
    family_of,
    rope_factors,
    tensor_names,
    weights_of,
)
from engine.artifacts.handover.vocabulary import vocabulary_of
from engine.errors import RunError, TrainingError
from engine.processes.later import Later

gguf = Later("gguf")

TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "q8_0": "Q8_0"}
"""GGUF's names of the types of weights; norms and biases are kept as float32."""
_BLOCK = 32
"""Number of values that share a scale in q8_0."""


@dataclass(frozen=True)
class Talk:
    """The metadata of a file about its use."""

    name: str
    chat_template: str
    """Empty for models of plain text."""
    begins: bool
    """Whether prompts began with the beginning-of-text token in training."""
    end: int | None = None
    """The token by which the chat template ends an answer, if it is one token."""


def check_installed() -> None:
    """Raise :class:`RunError` where the package ``gguf`` is missing."""
    if find_spec("gguf") is None:
        raise RunError(
            "GGUF files need the package gguf.", "Install it with `pip install 'dltui[gguf]'`."
        )


def write_gguf(path: Path, network: nn.Module, tokenizer: Any, dtype: str, talk: Talk) -> None:
    """Write one file with everything. Raises ``OSError`` and :class:`TrainingError`."""
    config: Any = network.config
    family = family_of(config)
    weights = dict(weights_of(network, family))
    places = tensor_names(family, config.num_hidden_layers, list(weights))
    writer = gguf.GGUFWriter(path, family.name)
    try:
        # transformers takes a Llama of the very name "mistral" for another type, and refuses it.
        writer.add_name(talk.name.title() if talk.name == "mistral" else talk.name)
        writer.add_file_type(gguf.LlamaFileType[_FILE_TYPES[dtype]])
        describe(writer, config, family)
        _describe_tokenizer(writer, tokenizer, config.vocab_size, talk)
        if (factors := rope_factors(config)) is not None:
            writer.add_tensor("rope_freqs.weight", factors)
        for name, array in weights.items():
            kind = gguf.GGMLQuantizationType[_kind(name, array, dtype)]
            writer.add_tensor(places[name], gguf.quantize(array, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


_FILE_TYPES = {
    "float32": "ALL_F32", "float16": "MOSTLY_F16", "bfloat16": "MOSTLY_BF16",
    "q8_0": "MOSTLY_Q8_0",
}  # fmt: skip


def _kind(name: str, array: Array, dtype: str) -> str:
    """Return the type of one weight."""
    if array.ndim < 2 or "norm" in name:
        return "F32"
    if dtype == "q8_0" and array.shape[-1] % _BLOCK:
        return "F16"
    if dtype == "float16" and np.abs(array).max() > np.finfo(np.float16).max:
        raise TrainingError(
            f"{name} has values beyond the range of float16.", "Choose bfloat16 or q8_0."
        )
    return TYPES[dtype]


def _describe_tokenizer(writer: Any, tokenizer: Any, rows: int, talk: Talk) -> None:
    vocabulary = vocabulary_of(tokenizer, rows)
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    if vocabulary.merges:
        writer.add_token_merges(vocabulary.merges)
    if vocabulary.scores:
        writer.add_token_scores(vocabulary.scores)
        writer.add_add_space_prefix(vocabulary.space_prefix)
    add: dict[str, Callable[[int], None]] = {
        "bos": writer.add_bos_token_id, "eos": writer.add_eos_token_id,
        "pad": writer.add_pad_token_id, "unk": writer.add_unk_token_id,
    }  # fmt: skip
    for mark, note in add.items():
        if (number := getattr(tokenizer, f"{mark}_token_id")) is not None:
            note(number)
    if talk.end is not None:
        writer.add_eot_token_id(talk.end)
    writer.add_add_bos_token(talk.begins)
    writer.add_add_eos_token(False)
    if talk.chat_template:
        writer.add_chat_template(talk.chat_template)


def as_written(network: nn.Module, dtype: str) -> nn.Module:
    """Return a copy whose weights have the values that a file of ``dtype`` has."""
    apart = copy.deepcopy(network)
    with torch.no_grad():
        for name, value in apart.state_dict().items():
            array = value.detach().float().cpu().numpy()
            kind = gguf.GGMLQuantizationType[_kind(name, array, dtype)]
            read = gguf.dequantize(gguf.quantize(np.ascontiguousarray(array), kind), kind)
            value.copy_(torch.from_numpy(np.array(read)).view_as(value))
    return apart


def read_gguf(path: Path, network: nn.Module) -> tuple[nn.Module, Any]:
    """Return network and tokenizer as transformers reads them; raises what it raises.

    It does not read how positions are scaled nor soft-capping: these come from ``network``. Values
    that it reads and that differ from the network's raise :class:`TrainingError`.
    """
    config: Any = network.config
    options: dict[str, Any] = {"gguf_file": path.name}
    read = transformers.AutoConfig.from_pretrained(path.parent, **options)
    for name in _READ:
        if (found := getattr(read, name)) != (meant := getattr(config, name)):
            raise TrainingError(f"The file says {name} {found}, and the model has {meant}.")
    if read.model_type == config.model_type:
        read = copy.deepcopy(config)
    else:  # a Mistral, which llama.cpp has no other name for than Llama
        read.rope_parameters = config.rope_parameters
    again: nn.Module = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, config=read, dtype=torch.float32, **options
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **options)
    return again.eval(), tokenizer


_READ = (
    "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads",
    "num_key_value_heads", "vocab_size", "tie_word_embeddings",
)  # fmt: skip
