"""Networks of torchvision's subpackages by name, and the weights that go with them."""

from __future__ import annotations

import difflib
import pickle
from types import ModuleType
from typing import Any
from urllib.error import URLError

import torch
from torch import nn
from torchvision import models

from engine.errors import TrainingError
from engine.files.sanitize import plain

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of the images that torchvision's weights were trained on."""


def check_name(name: str, subpackage: ModuleType) -> str:
    """Return ``name`` if a subpackage has a network of it; raises :class:`TrainingError`."""
    known = models.list_models(module=subpackage)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        suggestion = f"Did you mean {near[0]}?" if near else f"There is {', '.join(known)}."
        what = subpackage.__name__.rpartition(".")[2]
        raise TrainingError(
            f"model.name: torchvision has no {what} network {plain(name, 60)!r}.", suggestion
        )
    return name


def weights_named(name: str) -> Any:
    """Return the newest weights of a network."""
    return models.get_model_weights(name).DEFAULT


def load_all_but_head(network: nn.Module, name: str) -> None:
    """Put in those weights that fit; layers of another number of classes stay new.

    Raises :class:`TrainingError`.
    """
    state = downloaded(weights_named(name), name)
    missing = load_fitting(network, state)
    others = [key for key in missing if key not in state]
    if others:
        raise TrainingError(f"The weights of {name} do not fit it: {others[0]} is missing.")


def downloaded(weights: Any, name: str) -> dict[str, Any]:
    """Return the tensors of ``weights`` for the network ``name``; raises :class:`TrainingError`."""
    state: dict[str, Any]
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"The weights of {name} are not on this machine and cannot be downloaded from "
            f"{weights.url}: {plain(getattr(error, 'reason', error))}.",
            f"Put that file into {torch.hub.get_dir()}/checkpoints, or set model.pretrained to "
            "false.",
        ) from error
    return state


def load_fitting(network: nn.Module, state: dict[str, Any]) -> list[str]:
    """Put in the weights that are as large as the network's own; returns the names of the rest."""
    own = network.state_dict()
    fitting = {
        key: value for key, value in state.items() if key in own and own[key].shape == value.shape
    }
    missing: list[str] = network.load_state_dict(fitting, strict=False).missing_keys
    return missing
