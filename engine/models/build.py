"""Build the network that a model section describes."""

from __future__ import annotations

from typing import Any

from torch import nn

from engine.config.models.base import ModelConfig
from engine.config.registry import implementation, resolve


def build_model(config: ModelConfig, shape: Any) -> nn.Module:
    """The network with new or pre-trained weights, on torch's current default device.

    ``shape`` is one of :mod:`engine.models.shapes`; which one, the task decides. Raises
    :class:`~engine.errors.TrainingError`.
    """
    network: nn.Module = implementation(config, "build")(config, shape)
    return network


def base_of(config: ModelConfig) -> str:
    """Name or folder of the pre-trained weights; empty for new weights."""
    return str(resolve(config.base_name)(config)) if config.base_name else ""
