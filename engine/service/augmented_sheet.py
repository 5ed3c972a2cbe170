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
from engine.service.data_cache import loaded_rows
from engine.tasks.annotated_images import AnnotatedTask
from engine.tasks.augmented_samples import augmented_paint
from engine.tasks.create import create_task
from engine.vision.annotated.sheet import AnnotatedSheet
from engine.vision.augmentation.batch import Augmentation
from engine.vision.contact_sheet import Sheet
from engine.vision.pictures import as_bytes


def answer(
    values: Mapping[str, Any], each: int = 8, seed: int = 0, variant: int = 0
) -> dict[str, Any]:
    """Answer ``augmented contact sheet``: the images of ``contact sheet``, each augmented.

    Each ``variant`` draws other random changes. Raises ``ConfigError`` and ``DataError``.
    """
    config = RunConfig.parse(values)
    sheet = sheet_of(config, each, seed)
    if isinstance(sheet, AnnotatedSheet):
        return _annotated(config, sheet, variant)
    settings = getattr(config.task, "augmentation", AugmentationConfig())
    augmentation = Augmentation(settings)

    def change(images: Sequence[Pixels]) -> list[Pixels]:
        return augmented(images, augmentation, variant)

    assert isinstance(sheet, Sheet)
    groups = sheet.groups(change if augmentation else None)
    return {"groups": [asdict(group) for group in groups], "changed": bool(augmentation)}


def _annotated(config: RunConfig, sheet: AnnotatedSheet, variant: int) -> dict[str, Any]:
    task = create_task(config)
    assert isinstance(task, AnnotatedTask)
    table = loaded_rows(task.pipeline).train
    paint = augmented_paint(task, table, sheet.fitted, variant)
    groups = sheet.groups(paint)
    return {"groups": [asdict(group) for group in groups], "changed": paint is not None}


def augmented(images: Sequence[Pixels], augmentation: Augmentation, seed: int) -> list[Pixels]:
    """Return ``[size, size, channels]`` images, each changed in its own way, as bytes."""
    if not images:
        return []
    whole = torch.from_numpy(np.stack([as_bytes(image) for image in images]))
    shares = whole.permute(0, 3, 1, 2).float() / 255
    changed = augmentation(shares, torch.Generator().manual_seed(seed))
    return [as_bytes(image) for image in changed.permute(0, 2, 3, 1).numpy()]
