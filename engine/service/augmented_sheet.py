"""The contact sheet of a data set of images as a training sees them: augmented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from engine.config.run_config import RunConfig
from engine.config.tasks.augmentation import AugmentationConfig
from engine.data.images import Pixels
from engine.service.contact_sheet import sheet_of
from engine.vision.augmentation import Augmentation
from engine.vision.pictures import as_bytes


def answer(
    values: Mapping[str, Any], each: int = 8, seed: int = 0, variant: int = 0
) -> dict[str, Any]:
    """Answer ``augmented contact sheet``: the images of ``contact sheet``, each augmented.

    Each ``variant`` draws other random changes. Raises ``ConfigError`` and ``DataError``.
    """
    config = RunConfig.parse(values)
    settings = getattr(config.task, "augmentation", AugmentationConfig())
    augmentation = Augmentation(settings)

    def change(images: Sequence[Pixels]) -> list[Pixels]:
        return augmented(images, augmentation, variant)

    sheet = sheet_of(config, each, seed)
    groups = sheet.groups(change if augmentation else None)
    return {"groups": [asdict(group) for group in groups], "changed": bool(augmentation)}


def augmented(images: Sequence[Pixels], augmentation: Augmentation, seed: int) -> list[Pixels]:
    """Return ``[size, size, channels]`` images, each changed in its own way, as bytes."""
    if not images:
        return []
    whole = torch.from_numpy(np.stack([as_bytes(image) for image in images]))
    shares = whole.permute(0, 3, 1, 2).float() / 255
    changed = augmentation(shares, torch.Generator().manual_seed(seed))
    return [as_bytes(image) for image in changed.permute(0, 2, 3, 1).numpy()]
