"""The baseline of object detection on the images of a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from engine.baselines.usual_boxes import in_image, usual_boxes
from engine.data.images import upright_size
from engine.data.threads import quick_or_in_threads
from engine.metrics.evaluator import Evaluation
from engine.metrics.images.detection import Found, JudgedImage, evaluate_objects
from engine.vision.annotated_fitted import DetectionFitted
from engine.vision.files.column import images_of


def evaluate_usual_boxes(
    train: pa.Table, held_out: pa.Table, fitted: DetectionFitted
) -> Evaluation | None:
    """Evaluate the most frequent boxes of ``train``; ``None`` where it has none."""
    known = [one for image in _images(train, fitted, _sizes(train, fitted)) for one in image]
    if not known:
        return None
    boxes, numbers, _ = (np.array(part) for part in zip(*known, strict=True))
    usual = usual_boxes(boxes, numbers)
    sizes = _sizes(held_out, fitted)
    images = [
        JudgedImage("", in_image(usual, *size), in_image(_true(objects), *size))
        for objects, size in zip(_images(held_out, fitted, sizes), sizes, strict=True)
    ]
    return evaluate_objects(images, fitted.classes)


_Object = tuple[list[float], int, float]
"""Box in shares of the sides, class number, score."""


def _images(
    table: pa.Table, fitted: DetectionFitted, sizes: Sequence[tuple[int, int]]
) -> list[list[_Object]]:
    numbers = {name: number for number, name in enumerate(fitted.classes)}
    return [
        [
            ([side / whole for side, whole in zip(one["box"], size * 2, strict=True)],
             numbers[one["label"]], 1.0)
            for one in cell
        ]
        for cell, size in zip(table[fitted.objects].to_pylist(), sizes, strict=True)
    ]  # fmt: skip


def _sizes(table: pa.Table, fitted: DetectionFitted) -> list[tuple[int, int]]:
    images = images_of(table, fitted.image)
    return list(quick_or_in_threads(lambda row: upright_size(images[row]), range(table.num_rows)))


def _true(objects: list[_Object]) -> Found:
    boxes = np.array([box for box, _, _ in objects], np.float64).reshape(-1, 4)
    numbers = np.array([number for _, number, _ in objects], np.int64)
    return Found(boxes, numbers, np.ones(len(objects)))
