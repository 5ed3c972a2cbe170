"""Training images with masks or boxes as a training sees them, for the contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.image_limits import ImageFault
from engine.data.images import Pixels, decode, upright_size
from engine.files.sanitize import plain
from engine.reports.picture import Picture
from engine.tasks.annotated_images import AnnotatedTask
from engine.vision.annotated.painted import SIDE
from engine.vision.annotated.painting import with_boxes, with_mask
from engine.vision.annotated.sheet import Paint
from engine.vision.annotated.source import PlacedPreparation, Target
from engine.vision.annotated_fitted import AnnotatedFitted, DetectionFitted
from engine.vision.augmentation.placement import NO_OBJECT, PlacedAugmentation
from engine.vision.files.column import images_of
from engine.vision.pictures import as_bytes, picture
from engine.vision.preparation import Normalisation


def augmented_paint(
    task: AnnotatedTask[Any], table: pa.Table, fitted: AnnotatedFitted, seed: int
) -> Paint | None:
    """Return what paints rows of a table augmented; ``None`` where nothing is changed.

    Images are squares of the network's size; each ``seed`` draws other random changes.
    """
    targets = task.targets(table, fitted)
    settings = task.section.augmentation
    if targets is None or settings == type(settings)():
        return None
    # Neither moved nor scaled: what is painted has the colours of the image.
    preparation = PlacedPreparation(
        Normalisation([0.0] * 3, [1.0] * 3), type(task).move, PlacedAugmentation(settings)
    )
    images = images_of(table, fitted.image)
    names = images.names()

    def one(row: int) -> tuple[int, Pixels, Target, str] | None:
        try:
            width, height = upright_size(images[row])
            pixels = decode(images[row], fitted.size, 3, "stretch", fitted.levels)
            return row, pixels, targets(row), f"{width}×{height}"
        except ImageFault:
            return None

    def paint(rows: Sequence[int]) -> dict[int, Picture]:
        known = [found for row in rows if (found := one(row)) is not None]
        if not known:
            return {}
        numbers, pixels, truths, sizes = zip(*known, strict=True)
        stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        generator = torch.Generator().manual_seed(seed)
        changed, moved = preparation(stacked, torch.from_numpy(np.stack(truths)), generator)
        assert moved is not None
        boxes = isinstance(fitted, DetectionFitted)
        return {
            row: picture(_painted(image, own, boxes), SIDE, name=plain(names[row], 80), size=size)
            for row, image, own, size in zip(numbers, changed, moved, sizes, strict=True)
        }

    return paint


def _painted(image: Tensor, target: Tensor, boxes: bool) -> NDArray[np.uint8]:
    """Return ``[3, side, side]`` shares of white as bytes, with a mask or with boxes."""
    pixels = as_bytes(image.permute(1, 2, 0).contiguous().numpy())
    if not boxes:
        return with_mask(pixels, target.numpy().astype(np.uint8))
    kept = target[target[:, 4] != NO_OBJECT]
    sides = (kept[:, :4] * len(pixels)).tolist()
    return with_boxes(pixels, sides, kept[:, 4].int().tolist())
