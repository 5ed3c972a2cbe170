"""The floating-point type in which a model's weights are stored: half of it is half the size."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.artifacts.model_folder import MANIFEST, write_manifest
from engine.config.models.base import ModelConfig
from engine.config.models.pretrained import WeightsConfig
from engine.errors import TrainingError
from engine.models.weights.pretrained import bytes_by_type

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
STORED = "stored"
"""Stands for the type of the base model's weights."""
_NAMES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


def type_named(name: str, config: ModelConfig) -> torch.dtype:
    """Return one of :data:`TYPES`, for :data:`STORED` that of the model that training began from.

    Raises :class:`TrainingError` where there is none.
    """
    name = _stored(config) if name == STORED else name
    if name not in TYPES:
        raise TrainingError(
            f"No folder of a model has weights of the type {name}.",
            "Choose one of " + ", ".join(TYPES) + ".",
        )
    return TYPES[name]


def _stored(config: ModelConfig) -> str:
    if not isinstance(config, WeightsConfig) or config.from_scratch:
        raise TrainingError("The training began from no stored weights.", "Name a type.")
    found = next((kind for kind in bytes_by_type(config) if kind in _NAMES), None)
    if found is None:
        raise TrainingError("The base model's weights are stored as none of " + ", ".join(TYPES))
    return _NAMES[found]


def cast_weights(folder: Path, dtype: torch.dtype) -> None:
    """Round the weights of a model's folder to ``dtype`` and note it in the configuration.

    Raises ``OSError``, and :class:`TrainingError` for a weight that is beyond the type's range.
    """
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        weights = {name: _cast(name, value, dtype) for name, value in load_file(path).items()}
        save_file(weights, path, metadata)
    config = folder / "config.json"
    if config.is_file():
        noted = json.loads(config.read_text()) | {"dtype": str(dtype).removeprefix("torch.")}
        config.write_text(json.dumps(noted, indent=2) + "\n")
    if (folder / MANIFEST).is_file():
        write_manifest(folder)


def rounded(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a copy whose weights have the values of ``dtype``, in the type that they had."""
    apart = copy.deepcopy(network)
    with torch.no_grad():
        for value in apart.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.to(dtype))
    return apart


def _cast(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    if not value.is_floating_point():
        return value
    cast = value.to(dtype)
    if not torch.equal(cast.isfinite(), value.isfinite()):
        raise TrainingError(
            f"{name} has values beyond the range of {str(dtype).removeprefix('torch.')}.",
            "Choose bfloat16 or float32.",
        )
    return cast
