"""The check, after the first backward pass, that all adapters learn."""

from __future__ import annotations

from torch import nn

from engine.errors import TrainingError
from engine.training.trainer_setup import Setup

_FEW = 3


def idle_adapters(network: nn.Module) -> tuple[list[str], int]:
    """Return the layers whose adapter has no gradient, and the number of all that have one."""
    found: dict[str, bool] = {}
    for name, parameter in network.named_parameters():
        layer, mark, _ = name.partition(".lora_")
        if mark and parameter.requires_grad:
            layer = layer.partition("base_model.model.")[2] or layer
            found[layer] = found.get(layer, False) or parameter.grad is not None
    return [layer for layer, learns in found.items() if not learns], len(found)


def check_adapters(setup: Setup) -> None:
    """Report adapters that have no gradient; raises :class:`TrainingError` where none has."""
    if not setup.task.config.adapter.active:
        return
    idle, adapters = idle_adapters(setup.state.network)
    named = ", ".join(idle[:_FEW]) + (" …" if idle[_FEW:] else "")
    if idle and len(idle) == adapters:
        raise TrainingError(
            f"adapter.target_modules: none of the {adapters:,} adapters gets a gradient ({named}).",
            "Choose other layers, or adapter.method none.",
        )
    if idle:
        setup.outlets.warn(
            f"{len(idle):,} of {adapters:,} adapters got no gradient in the first update: {named}. "
            "They have no effect unless later batches use these layers."
        )
