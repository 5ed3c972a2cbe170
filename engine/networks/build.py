"""Build the network that a model section describes."""

from __future__ import annotations

from typing import Any

from torch import nn

from engine.models.image import Preprocessing
from engine.models.section import ModelConfig
from engine.sections import resolve


def build_model(config: ModelConfig, shape: Any) -> nn.Module:
    """The network with new or pre-trained weights, on torch's current default device.

    ``shape`` is one of :mod:`engine.models.shapes`; which one, the task decides. Raises
    :class:`~engine.errors.TrainingError`.
    """
    network: nn.Module = resolve(config.implementation)(config, shape)
    return network


def base_of(config: ModelConfig) -> str:
    """Name or folder of the pre-trained weights; empty for new weights."""
    return str(resolve(config.base_name)(config)) if config.base_name else ""


def preprocessing_of(config: ModelConfig) -> Preprocessing | None:
    """What the pre-trained weights of a model on images ask for; ``None`` from scratch.

    Raises :class:`~engine.errors.TrainingError` for weights that cannot be read.
    """
    place = getattr(config, "preprocessing", "")
    wanted: Preprocessing | None = resolve(place)(config) if place else None
    return wanted
