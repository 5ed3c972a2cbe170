"""The layers of a network that can have an adapter, and those that are trained in full."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import peft
import torch
from peft.utils.transformers_weight_conversion import (
    convert_peft_adapter_state_dict_for_transformers,
    convert_peft_config_for_transformers,
)
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D

from engine.adapters.reach import unreached
from engine.models.images.transfer import Transfer
from engine.models.weights.embeddings import input_embeddings, is_tied, output_layer

_HEADS = ("classifier", "pre_classifier", "score", "qa_outputs", "fc", "head", "heads")
"""Names of outermost modules that are new for a task, in transformers and torchvision."""
_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, Conv1D)
_LINEAR = (nn.Linear, Conv1D)
_READ_BY_MAMBA = ("out_proj", "conv1d")
_READ = {
    **dict.fromkeys(("falcon_h1", "mamba", "mamba2", "falcon_mamba", "nemotron_h"), _READ_BY_MAMBA),
    **dict.fromkeys(("gemma3n", "gemma3n_text"), ("correction_coefs",)),
}
"""Layers whose weights a type of transformers reads in training without calling the layer."""
_DIMENSIONS = 3
"""Dimensions of the weights of experts."""
Layer = nn.Module | nn.Parameter
"""A layer, or the weights of the experts of one."""


def plain_network(network: nn.Module) -> nn.Module:
    """Return the network without our own wrapper; adapters are saved with its layers' names."""
    return network.network if isinstance(network, Transfer) else network


def adaptable(network: nn.Module) -> dict[str, Layer]:
    """Return linear and convolution layers by full name, except the head.

    The embedding of tokens is among them, and experts of a mixture: weights of three dimensions,
    under their own names.

    Layers whose adapter would have no effect or could not be merged are left out: those on which
    the output does not depend, those that compute more, grouped convolutions, and those for which
    peft would take others, now or when the adapter is loaded.
    """
    outside = [*heads(network), *_fixed_output(network)]
    layers: dict[str, nn.Module] = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, _KINDS)
        and not any(name == part or name.startswith(f"{part}.") for part in outside)
        and _is_plain(module)
        and not _is_read(network, name)
    } | token_embedding(network)
    without = _unreached(network, layers) | _taken_for_experts(network, layers)
    without |= _not_read_back(network, [name for name in layers if name not in without])
    found: dict[str, Layer] = {
        name: module for name, module in layers.items() if name not in without
    }
    return found | _experts(network)


def linear_layers(network: nn.Module) -> dict[str, Layer]:
    """Return those that ``all-linear`` takes: with the convolutions where these are the more.

    A convolutional network has few linear layers; a transformer has a convolution for its patches.
    As in peft, the output layer of a language model and its embedding are not among them.
    """
    output = output_layer(network)
    called = {
        name: layer
        for name, layer in adaptable(network).items()
        if isinstance(layer, _KINDS) and layer is not output
    }
    linear = {name: layer for name, layer in called.items() if isinstance(layer, _LINEAR)}
    return dict(called if len(called) > 2 * len(linear) else linear)


def heads(network: nn.Module) -> list[str]:
    """Return the names of modules that are new for the task and must be trained in full."""
    named = getattr(network, "head_name", None)  # of a network on images
    outermost = [named] if named else [n for n, _ in network.named_children() if n in _HEADS]
    # Further in, such as a pooler that is missing in the weights of a language model.
    inner = [
        name
        for name in getattr(network, "new_layers", ())
        if not any(name == head or name.startswith(f"{head}.") for head in outermost)
    ]
    return [*outermost, *inner]


def _experts(network: nn.Module) -> dict[str, Layer]:
    """Return the weights of all experts of a layer, ``[experts, rows, columns]``, by full name."""
    return {
        f"{name}.{weight}": parameter
        for name, module in network.named_modules()
        if "experts" in type(module).__name__.lower()
        for weight, parameter in module.named_parameters(recurse=False)
        if parameter.ndim == _DIMENSIONS
    }


def _taken_for_experts(network: nn.Module, names: Iterable[str]) -> set[str]:
    """Return the names for which peft would put adapters on the experts instead.

    It takes ``gate_proj`` for that of the experts as they were called once, even where a dense
    layer is called so.
    """
    return {name for name in names if _is_taken_for_experts(network, name)}


def _is_taken_for_experts(network: nn.Module, name: str) -> bool:
    config = peft.LoraConfig(target_modules=[name])
    try:
        convert_peft_config_for_transformers(config, network, None)
    except ValueError:  # one of several parts of a fused weight
        return True
    return name not in (config.target_modules or ())


def _not_read_back(network: nn.Module, names: list[str]) -> set[str]:
    """Return the names that peft changes as it loads an adapter, whose weights are then lost.

    It applies the rules for older checkpoints, and some take in names of today: Laguna's for
    ``shared_expert.`` is an expression that ``shared_experts`` fits as well.
    """
    saved = {f"base_model.model.{name}.lora_A.weight": name for name in names}
    config = peft.LoraConfig(target_modules=names)
    weights = {key: torch.empty(1, 1, device="cpu") for key in saved}
    read = convert_peft_adapter_state_dict_for_transformers(network, config, weights)
    return {name for key, name in saved.items() if key not in read}


def _is_plain(module: nn.Module) -> bool:
    """Return whether a layer computes what its kind does, without groups."""
    kind: Any = next(kind for kind in _KINDS if isinstance(module, kind))
    if getattr(module, "groups", 1) != 1:
        return False
    return type(module).forward is kind.forward or (kind is nn.Linear and _is_product(module))


def _is_product(layer: Any) -> bool:
    """Return whether a linear layer with a forward pass of its own computes the same, as Falcon's.

    Routers of experts do not. On the device meta the shape of the output has to serve.
    """
    inputs = torch.linspace(-1, 1, layer.in_features).to(layer.weight)[None]
    try:
        with torch.no_grad():
            found, expected = layer(inputs), F.linear(inputs, layer.weight, layer.bias)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return False
    if not isinstance(found, Tensor) or found.shape != expected.shape:
        return False
    return found.is_meta or torch.allclose(found, expected, atol=1e-3, rtol=1e-3)


def _is_read(network: Any, name: str) -> bool:
    kind = getattr(getattr(network, "config", None), "model_type", "")
    return name.rpartition(".")[2] in _READ.get(kind, ())


def _unreached(network: Any, layers: dict[str, nn.Module]) -> frozenset[str]:
    """Return the layers on which the output does not depend; found once for a network."""
    if not hasattr(network, "unreached_layers"):
        network.unreached_layers = unreached(network, layers)
    known: frozenset[str] = network.unreached_layers
    return known


def _fixed_output(network: Any) -> list[str]:
    """Return the name of an output layer that must stay tied to the embedding.

    T5 and its kind scale what goes into it only as long as it is.
    """
    if not is_tied(network) or not network.config.is_encoder_decoder:
        return []
    output = output_layer(network)
    return [name for name, module in network.named_modules() if module is output and name]


def token_embedding(network: Any) -> dict[str, nn.Module]:
    """Return the embedding of tokens by its full name, if it is a plain one."""
    tokens = input_embeddings(network)
    if type(tokens) is not nn.Embedding:
        return {}
    return {name: module for name, module in network.named_modules() if module is tokens}
