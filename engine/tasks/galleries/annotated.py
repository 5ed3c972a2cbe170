"""Images of a split with the most mistakes: what was predicted beside the truth, painted in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.batches.source import Source
from engine.files.sanitize import plain
from engine.metrics.images.detection import DetectionEvaluator, Found, sure_of
from engine.metrics.images.segmentation import SegmentationEvaluator
from engine.reports.gallery import Gallery
from engine.reports.picture import Picture
from engine.reports.views import Cell, Pictures, View
from engine.tasks.galleries.images import file_of
from engine.tasks.galleries.painted import box_sample, mask_sample
from engine.vision.annotated_fitted import AnnotatedFitted

_TITLE = "Images"
_SIDE = 96
"""Pixels of a side at most: networks of small images are shown all that they see."""
_BATCH = 16
_CAPTIONS = ("predicted", "truth")


@dataclass(frozen=True)
class _Input:
    """An image of a source with its target, as a network takes it in."""

    row: int
    name: str
    sides: tuple[int, int]
    """Width and height of the image itself, in pixels."""
    pixels: Tensor
    target: Tensor


def boxes_gallery(
    evaluated: DetectionEvaluator, source: Source, fitted: AnnotatedFitted
) -> Gallery | None:
    """Return the worst images of the last evaluation with views, which was on ``source``.

    ``None`` without a mistake.
    """
    worst = {image.row: (image, counts) for image, counts in evaluated.worst}
    rows: list[list[Cell]] = []
    views: list[View] = []
    for one in _inputs(source, list(worst)):
        image, (found, missed, wrong) = worst[one.row]
        rows.append([plain(one.name), missed + wrong, missed, wrong, found])
        sure = sure_of(image.found, evaluated.threshold)
        views.append(_beside(one.name, [
            box_sample(one.pixels, _shares(objects, one.sides), fitted, _side(fitted), **words)
            for objects, words in zip((sure, image.truth), _words(one.name), strict=True)
        ]))  # fmt: skip
    columns = ["image", "mistakes", "missed", "wrong", "found"]
    return Gallery(_TITLE, columns, rows, views, evaluated.mistaken) if rows else None


def masks_gallery(
    network: nn.Module, evaluated: SegmentationEvaluator, source: Source, fitted: AnnotatedFitted
) -> Gallery | None:
    """Return the worst images of the last evaluation with views, which was on ``source``.

    ``None`` without any.
    """
    worst = {image.row: image for image in evaluated.worst}
    rows: list[list[Cell]] = []
    views: list[View] = []
    for one in _inputs(source, list(worst)):
        image = worst[one.row]
        rows.append([plain(one.name), image.worst_class, round(1 - image.iou, 4)])
        masks = network(one.pixels[None]).argmax(1)[0], one.target
        numbers = (mask.cpu().numpy().astype(np.uint8) for mask in masks)
        views.append(_beside(one.name, [
            mask_sample(one.pixels, mask, fitted, _side(fitted), **words)
            for mask, words in zip(numbers, _words(one.name), strict=True)
        ]))  # fmt: skip
    columns = ["image", "worst class", "1 − IoU"]
    return Gallery(_TITLE, columns, rows, views, evaluated.images) if rows else None


def _inputs(source: Source, rows: Sequence[int]) -> Iterator[_Input]:
    """Yield rows of a source, in order."""
    for batch in source.read(torch.split(torch.tensor(rows, dtype=torch.int64), _BATCH)):
        for place, named in enumerate(batch.rows.to_pylist()):
            sides = named["width"], named["height"]
            yield _Input(
                named["row"], named["name"], sides, batch.inputs[place], batch.targets[place]
            )


def _side(fitted: AnnotatedFitted) -> int:
    return min(fitted.size, _SIDE)


def _words(name: str) -> list[dict[str, str]]:
    return [{"name": file_of(name), "caption": caption} for caption in _CAPTIONS]


def _beside(name: str, pictures: Sequence[Picture]) -> Pictures:
    return Pictures(plain(name), pictures)


def _shares(found: Found, sides: tuple[int, int]) -> Found:
    """Return objects whose boxes are shares of the sides of their image."""
    return Found(found.boxes / np.array(sides * 2), found.classes, found.scores)
