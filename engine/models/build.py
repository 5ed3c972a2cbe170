"""Build the network that a model section describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.config.models.base import ModelConfig
from engine.config.models.image import Preprocessing
from engine.config.registry import implementation, resolve

if TYPE_CHECKING:  # a preview of data loads no torch
    from torch import nn


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


def preprocessing_of(config: ModelConfig) -> Preprocessing | None:
    """Return the preprocessing of a pre-trained image model; ``None`` from scratch.

    Raises :class:`~engine.errors.TrainingError` for weights that cannot be read.
    """
    if not config.preprocessing:
        return None
    wanted: Preprocessing | None = resolve(config.preprocessing)(config)
    return wanted
