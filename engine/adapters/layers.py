"""The layers of a network that can have an adapter, and those that are trained in full."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from engine.adapters.reach import unreached
from engine.models.transfer import Transfer

_HEADS = ("classifier", "pre_classifier", "score", "qa_outputs", "fc", "head", "heads")
"""Names of outermost modules that are new for a task, in transformers and torchvision."""
_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, Conv1D)
_LINEAR = (nn.Linear, Conv1D)
_OF_MAMBA = {"falcon_h1", "mamba", "mamba2", "falcon_mamba", "nemotron_h"}
"""Types of transformers whose kernels read these weights without calling the layer."""
_READ_BY_MAMBA = ("out_proj", "conv1d")


def plain_network(network: nn.Module) -> nn.Module:
    """Return the network without our own wrapper; adapters are saved with its layers' names."""
    return network.network if isinstance(network, Transfer) else network


def adaptable(network: nn.Module) -> dict[str, nn.Module]:
    """Return linear and convolution layers by full name, except the head and tied outputs.

    Layers whose adapter would have no effect or could not be merged are left out: those on which
    the output does not depend, those that compute more, and grouped convolutions.
    """
    outside = [*heads(network), *_output_embeddings(network)]
    layers = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, _KINDS)
        and not any(name == part or name.startswith(f"{part}.") for part in outside)
        and _is_plain(module)
        and not _read_by_a_kernel(network, name)
    }
    without = _unreached(network, layers)
    return {name: module for name, module in layers.items() if name not in without}


def linear_layers(layers: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Return those that ``all-linear`` takes: with the convolutions where these are the more.

    A convolutional network has few linear layers; a transformer has a convolution for its patches.
    """
    linear = {name: layer for name, layer in layers.items() if isinstance(layer, _LINEAR)}
    return layers if len(layers) > 2 * len(linear) else linear


def heads(network: nn.Module) -> list[str]:
    """Return the names of modules that are new for the task and must be trained in full."""
    told = getattr(network, "head_name", None)  # of a network on images
    outermost = [told] if told else [n for n, _ in network.named_children() if n in _HEADS]
    # Further in, such as a pooler that is missing in the weights of a language model.
    inner = [
        name
        for name in getattr(network, "new_layers", ())
        if not any(name == head or name.startswith(f"{head}.") for head in outermost)
    ]
    return [*outermost, *inner]


def _is_plain(module: nn.Module) -> bool:
    """Return whether a layer computes what its kind does, without groups."""
    kind: Any = next(kind for kind in _KINDS if isinstance(module, kind))
    return type(module).forward is kind.forward and getattr(module, "groups", 1) == 1


def _read_by_a_kernel(network: Any, name: str) -> bool:
    kind = getattr(getattr(network, "config", None), "model_type", "")
    return kind in _OF_MAMBA and name.rpartition(".")[2] in _READ_BY_MAMBA


def _unreached(network: Any, layers: dict[str, nn.Module]) -> frozenset[str]:
    """Return the layers on which the output does not depend; found once for a network."""
    if not hasattr(network, "unreached_layers"):
        network.unreached_layers = unreached(network, layers)
    known: frozenset[str] = network.unreached_layers
    return known


def _output_embeddings(network: nn.Module) -> set[str]:
    """Return the name of a language model's output layer if its weights are tied to the input."""
    output = getattr(network, "get_output_embeddings", lambda: None)()
    return {name for name, module in network.named_modules() if module is output and name}
