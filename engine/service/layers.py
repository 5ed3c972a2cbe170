"""The layers of a network that can get an adapter, answered in the helper process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from engine.adapters.layers import adaptable, plain_network
from engine.adapters.targets import _matching, _per_rank, _sides, target_groups
from engine.config.adapter import TARGET_PRESETS
from engine.config.run_config import RunConfig
from engine.service.data_cache import loaded
from engine.tasks.create import create_task


def answer(values: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ``targets``: the groups of layers of the model that ``values`` describe.

    ``presets`` has what each selects of the whole model: it may select a part of a group. Weights
    are not read: the network is built on the meta device.
    """
    task = create_task(RunConfig.parse(values))
    _, fitted = loaded(task.pipeline)
    with torch.device("meta"):
        return described(plain_network(task.build_network(fitted)))


def described(network: nn.Module) -> dict[str, Any]:
    """Return the number of a network's parameters, its groups of layers, and the presets."""
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "groups": [group.record() for group in target_groups(network)],
        "presets": {preset: _cost(network, preset) for preset in TARGET_PRESETS},
    }


def _cost(network: nn.Module, preset: str) -> dict[str, int]:
    """Return the number of layers that a preset selects, and what they add."""
    layers = adaptable(network)
    taken = [layers[name] for name in _matching(preset, layers, network)]
    return {
        "count": len(taken),
        "parameters_per_rank": sum(map(_per_rank, taken)),
        "outputs": sum(_sides(layer)[1] for layer in taken),
    }
