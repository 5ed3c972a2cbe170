"""Pre-trained weights that are not on this machine yet, before a run needs them."""

from __future__ import annotations

from pathlib import Path

import torch
from torchvision import models

from engine.config.models.base import ModelConfig
from engine.config.models.pretrained import WeightsConfig
from engine.files.paths import is_folder
from engine.models.build import base_of
from engine.models.weights.pretrained import bytes_by_type, readable, weights_of
from engine.models.weights.weightless import local_weights

_MEGABYTE = 1 << 20
"""torchvision's unit of the size of a file."""


def bytes_to_download(config: ModelConfig) -> int:
    """Return the bytes of weights that the start of a run downloads; 0 where all are here.

    Raises :class:`~engine.errors.TrainingError` where they cannot be found.
    """
    if isinstance(config, WeightsConfig):
        return 0 if config.from_scratch or _on_disk(config) else sum(bytes_by_type(config).values())
    named = base_of(config)
    if not named:
        return 0
    weights = models.get_weight(named)
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    return 0 if file.is_file() else int(weights.meta["_file_size"] * _MEGABYTE)


def _on_disk(config: WeightsConfig) -> bool:
    with readable(config):
        weights = weights_of(config)
        place = weights.place
        return is_folder(Path(place)) or bool(local_weights(place, weights.revision))
