"""The layers on which an output depends, found by a pass forward and back.

A network can have layers that a task does not use, such as a pooler, and layers whose weights it
reads without calling them. An adapter on them gets no gradient.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from engine.models.images.transformer import patches_of
from engine.text.generation.continuation import has_cache

_TOKENS = 8
"""Length of the text that is passed through a network."""
_UNFIT = (RuntimeError, ValueError, TypeError, AttributeError, IndexError, AssertionError)
"""Exceptions of networks that need other inputs, or values that the device meta lacks."""


def unreached(network: nn.Module, layers: Mapping[str, nn.Module]) -> frozenset[str]:
    """Return the names of those ``layers`` on which the network's output does not depend.

    Empty where it cannot be found out: then the first update of a training tells.
    """
    inputs = example_inputs(network)
    if inputs is None:
        return frozenset()
    if isinstance(inputs, dict):
        inputs |= _without_cache(network)
    try:
        with _undisturbed(network), _probed(layers) as probes:
            total = _total(network(**inputs) if isinstance(inputs, dict) else network(inputs))
            found = torch.autograd.grad(total, list(probes.values()), allow_unused=True)
    except _UNFIT:
        return frozenset()
    return frozenset(name for name, value in zip(probes, found, strict=True) if value is None)


def _without_cache(network: nn.Module) -> dict[str, Any]:
    """Return the option that makes no cache, for a network that can have none."""
    takes = "use_cache" in inspect.signature(network.forward).parameters
    return {"use_cache": False} if takes and not has_cache(network) else {}


def example_inputs(network: Any) -> dict[str, Tensor] | Tensor | None:
    """Return a short text, or an image of the size that the network was built for."""
    device = next(network.parameters()).device
    if shape := getattr(network, "image_shape", None):
        images = torch.zeros(1, *shape, device=device)
        if "spatial_shapes" in inspect.signature(network.forward).parameters:
            return patches_of(images, network.config.vision_config.patch_size)
        return {"pixel_values": images} if hasattr(network, "main_input_name") else images
    if getattr(network, "main_input_name", "") != "input_ids":
        return None
    ids = torch.zeros(1, _TOKENS, dtype=torch.int64, device=device)
    return {"input_ids": ids} | (
        {"decoder_input_ids": ids} if network.config.is_encoder_decoder else {}
    )


@contextmanager
def _undisturbed(network: nn.Module) -> Iterator[None]:
    """Freeze the network and switch off its dropout inside the block."""
    modes = {module: module.training for module in network.modules()}
    learning = [part for part in network.parameters() if part.requires_grad]
    network.eval()
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _probed(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Add a zero to the output of each layer inside the block, whose gradient can be asked for."""
    probes: dict[str, Tensor] = {}
    hooks = []
    for name, layer in layers.items():
        probe = torch.zeros((), device=next(layer.parameters()).device, requires_grad=True)
        probes[name] = probe
        hooks.append(
            layer.register_forward_hook(
                lambda _, __, output, probe=probe: output + probe.to(output.dtype)
            )
        )
    try:
        yield probes
    finally:
        for hook in hooks:
            hook.remove()


def _total(output: Any) -> Tensor:
    """Return the sum of what a loss is computed from."""
    if isinstance(output, Tensor):
        return output.float().sum()
    names = ("logits", "pred_boxes", "start_logits", "end_logits", "last_hidden_state")
    return torch.stack([output[name].float().sum() for name in names if name in output]).sum()
