"""Pre-trained weights that are not on this machine yet, before a run needs them."""

from __future__ import annotations

from pathlib import Path

from engine.config.models.base import ModelConfig
from engine.config.models.pretrained import WeightsConfig
from engine.files.paths import is_folder
from engine.models.build import base_of

_MEGABYTE = 1 << 20
"""torchvision's unit of the size of a file."""


def bytes_to_download(config: ModelConfig) -> int:
    """Return the bytes of weights that the start of a run downloads; 0 where all are here.

    Raises :class:`~engine.errors.TrainingError` where they cannot be found.
    """
    if isinstance(config, WeightsConfig):
        return 0 if config.from_scratch else _of_transformers(config)
    named = base_of(config)
    return _of_torchvision(named) if named else 0


def _of_transformers(config: WeightsConfig) -> int:
    # The estimate of a network from scratch does not wait for transformers, nor has its memory.
    from engine.models.weights import pretrained, weightless

    with pretrained.readable(config):
        weights = pretrained.weights_of(config)
        place = weights.place
        here = is_folder(Path(place)) or weightless.local_weights(place, weights.revision)
    return 0 if here else sum(pretrained.bytes_by_type(config).values())


def _of_torchvision(name: str) -> int:
    import torch
    from torchvision import models

    weights = models.get_weight(name)
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    return 0 if file.is_file() else int(weights.meta["_file_size"] * _MEGABYTE)
