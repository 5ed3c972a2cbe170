"""The number format of frozen weights: the smallest that serves.

Linear layers and convolutions are kept in the format that they are computed in. Autocast would
convert them in every step, so this halves the memory and returns the same numbers. With
quantisation, linear layers take four bits a weight instead.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from engine.adapters.nf4 import quantize
from engine.errors import TrainingError
from engine.hardware.device import Compute

_AUTOCAST = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, Conv1D)


def compress_frozen(network: nn.Module, four_bits: bool, compute: Compute) -> None:
    """Convert frozen weights to their format, in place; raises :class:`TrainingError`.

    All other weights are in float32 afterwards: norms and embeddings, adapters and heads.
    """
    if four_bits and not quantize(network, compute.device, _outputs(network)):
        raise TrainingError(
            "adapter.quantization: this model has no frozen linear layer to quantise.",
            "Choose adapter.quantization none.",
        )
    network.float()
    if compute.dtype == torch.float32:
        return
    shared = _shared(network)
    for layer in network.modules():
        if isinstance(layer, _AUTOCAST):
            for parameter in layer.parameters(recurse=False):
                if not parameter.requires_grad and parameter not in shared:
                    parameter.data = parameter.data.to(compute.dtype)


def _outputs(network: nn.Module) -> set[nn.Module]:
    """Return layers that are not quantised: the output layer, and originals of trained copies."""
    inner: Any = network
    base = inner.get_base_model() if hasattr(inner, "get_base_model") else inner
    output: nn.Module | None = getattr(base, "get_output_embeddings", lambda: None)()
    kept = set() if output is None else {output}
    for module in network.modules():
        original = getattr(module, "original_module", None)
        if isinstance(original, nn.Module):
            kept |= set(original.modules())
    return kept


def _shared(network: nn.Module) -> set[nn.Parameter]:
    """Return weights that are tied to an embedding, which is not computed in half precision."""
    return {
        parameter
        for module in network.modules()
        if not isinstance(module, _AUTOCAST)
        for parameter in module.parameters(recurse=False)
    }
