"""COCO's metrics of object detection, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor, nn
from torchvision.ops import box_iou, nms

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.metrics.images.drawn_precision import (
    MeanPrecision,
    RankedObjects,
    precision_draws,
    ranked_objects,
)
from engine.metrics.uncertainty.intervals import known_intervals, resamples
from engine.metrics.uncertainty.paired import ScoredRows
from engine.models.images.detector import Detections, objects_of
from engine.reports.views import Cell, Table, View

_WORST = 50
_SAME_PLACE = 0.7
"""IoU from which on two boxes are of the same object."""
_ALIKE = 0.5
"""IoU from which on a box counts as found in the table of images."""

Outcome = tuple[int, int, int]
"""Objects of an image that were found, missed, and found where there is none."""


@dataclass(frozen=True)
class Found:
    """The objects of one image, in pixels: boxes ``[objects, 4]``, class numbers and scores."""

    boxes: NDArray[np.float64]
    classes: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class JudgedImage:
    """An image with what was found in it, and what is there."""

    name: str
    found: Found
    truth: Found
    row: int = -1
    """Its number in the source."""


class DetectionEvaluator(Evaluator):
    """Objects of all images of a split, found and true."""

    def __init__(
        self,
        classes: Sequence[str],
        threshold: float,
        detect: Callable[[nn.Module, Batch], tuple[Tensor, list[Detections]]],
    ) -> None:
        """``detect`` gives the mean loss of a batch and the objects in its images.

        Those with a score of at least ``threshold`` are counted in the table of images.
        """
        self._classes = list(classes)
        self.threshold = threshold
        self._detect = detect
        self._images: list[JudgedImage] = []
        self._losses = Gathered()
        self.worst: list[tuple[JudgedImage, Outcome]] = []
        """The images with the most mistakes, once views were computed."""
        self.mistaken = 0
        """Images with any mistake, once views were computed."""

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        loss, found = self._detect(network, batch)
        self._losses.add((loss.float() * len(found)).reshape(1))
        self._images += judged(found, batch)

    def compute(self, views: bool = False) -> Evaluation:
        """COCO's metrics; per class and the worst images among the views."""
        result = evaluate_objects(self._images, self._classes, views)
        total = float(self._losses.joined().double().sum())
        result.metrics["loss"] = total / max(1, len(self._images))
        if not views:
            return result
        outcomes = [(image, outcome(image, self.threshold)) for image in self._images]
        mistakes = [one for one in outcomes if sum(one[1][1:])]
        self.mistaken = len(mistakes)
        self.worst = sorted(mistakes, key=lambda one: -sum(one[1][1:]))[:_WORST]
        rows: list[list[Cell]] = [[image.name, *counts] for image, counts in self.worst]
        table = Table("Worst images", ["image", "found", "missed", "wrong"], rows)
        return replace(result, views=[*result.views, table])


def judged(detections: Sequence[Detections], batch: Batch) -> list[JudgedImage]:
    """Return the images of a batch with what was found and what is there, in pixels."""
    rows = batch.rows.to_pylist()
    return [
        JudgedImage(row["name"], in_pixels(own, row["width"], row["height"]),
                    _true(boxes, classes, row["width"], row["height"]), row["row"])
        for own, (boxes, classes), row in zip(
            detections, objects_of(batch.targets), rows, strict=True
        )
    ]  # fmt: skip


def in_pixels(own: Detections, width: int, height: int) -> Found:
    """Return detections in pixels of an image."""
    return Found(
        own.boxes.double().cpu().numpy() * np.array([width, height, width, height]),
        own.classes.cpu().numpy().astype(np.int64),
        own.scores.double().cpu().numpy(),
    )


def _true(boxes: Any, classes: Any, width: int, height: int) -> Found:
    return in_pixels(Detections(boxes, classes.new_ones(len(classes)), classes), width, height)


def evaluate_objects(
    images: Sequence[JudgedImage], classes: Sequence[str], views: bool = False
) -> Evaluation:
    """COCO's mAP and average recall over all images, at most 100 detections in each."""
    precision, recall, ranked = _coco(images, classes)
    metrics = {
        "map": _mean(precision),
        "map50": _mean(precision[0]),
        "map75": _mean(precision[5]),
        "recall": _mean(recall),
    }
    there = np.array([one.there for one in ranked]).T if ranked else np.zeros((0, 0))
    score = MeanPrecision(ranked)
    scored = ScoredRows("mAP", there, score) if ranked else None
    if not views:
        return Evaluation(metrics, rows=scored)
    counts = np.bincount(
        np.concatenate([image.truth.classes for image in images] or [np.zeros(0, np.int64)]),
        minlength=len(classes),
    )
    rows: list[list[Cell]] = [
        [name, *map(_cell, (_mean(precision[:, :, place]), _mean(precision[0, :, place]),
                            _mean(precision[5, :, place]), _mean(recall[:, place]))),
         int(counts[place])]
        for place, name in enumerate(classes)
    ]  # fmt: skip
    shown: list[View] = [Table("Classes", ["class", "AP", "AP50", "AP75", "recall", "objects"],
                               rows)]  # fmt: skip
    intervals = {}
    if ranked and len(images) > 1:
        drawn = resamples(len(images), score.draws)
        intervals = known_intervals(precision_draws(ranked, drawn))
    return Evaluation(metrics, shown, intervals=intervals, rows=scored)


def _coco(
    images: Sequence[JudgedImage], classes: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[RankedObjects]]:
    """Return precision ``[IoU, recall, class]``, recall ``[IoU, class]``, −1 where unknown, and
    the objects of each class that both are of."""
    truth = _entries([image.truth for image in images])
    found = _entries([image.found for image in images])
    if not truth:
        return np.full((10, 101, len(classes)), -1.0), np.full((10, len(classes)), -1.0), []
    with contextlib.redirect_stdout(io.StringIO()):  # it prints as it goes
        evaluation = COCOeval(
            _data_set(truth, len(images), classes), _data_set(found, len(images), classes), "bbox"
        )
        evaluation.params.areaRng = [evaluation.params.areaRng[0]]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = (evaluation.eval[name][..., 0, 0] for name in ("precision", "recall"))
    matches = evaluation.evalImgs
    ranked = [
        ranked_objects(matches[place * len(images) : (place + 1) * len(images)], len(images))
        for place in range(len(classes))
    ]
    return precision, recall, ranked


def _data_set(entries: list[dict[str, Any]], images: int, classes: Sequence[str]) -> Any:
    data = COCO()
    data.dataset = {
        "images": [{"id": number} for number in range(images)],
        "categories": [{"id": number} for number in range(len(classes))],
        "annotations": entries,
    }
    data.createIndex()
    return data


def _entries(objects: Sequence[Found]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for image, own in enumerate(objects):
        for box, number, score in zip(own.boxes, own.classes, own.scores, strict=True):
            left, top, right, bottom = map(float, box)
            width, height = right - left, bottom - top
            entries.append({
                "id": len(entries) + 1, "image_id": image, "category_id": int(number),
                "bbox": [left, top, width, height], "area": width * height, "iscrowd": 0,
                "score": float(score),
            })  # fmt: skip
    return entries


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean of what is known; NaN where nothing is."""
    known = values[values > -1]
    return float(known.mean()) if known.size else float("nan")


def _cell(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)


def sure_of(found: Found, threshold: float) -> Found:
    """Return the objects with a score of at least ``threshold``, the surest first.

    Of those that lie nearly in the same place, whatever their class, only the surest is kept.
    """
    sure = np.flatnonzero(found.scores >= threshold)
    boxes, scores = torch.from_numpy(found.boxes[sure]), torch.from_numpy(found.scores[sure])
    kept = sure[nms(boxes, scores, _SAME_PLACE).numpy()]
    return Found(found.boxes[kept], found.classes[kept], found.scores[kept])


def outcome(image: JudgedImage, threshold: float) -> Outcome:
    """Return how many objects of an image were found, missed, and found where there is none.

    Those of which the network is sure are matched to true ones of their class by IoU, the surest
    first.
    """
    found, truth = sure_of(image.found, threshold), image.truth
    overlaps = box_iou(torch.from_numpy(found.boxes), torch.from_numpy(truth.boxes)).numpy()
    free = np.ones(len(truth.boxes), np.bool_)
    for place in range(len(found.scores)):
        fitting = np.where(free & (truth.classes == found.classes[place]), overlaps[place], 0)
        if len(fitting) and fitting.max() >= _ALIKE:
            free[fitting.argmax()] = False
    hits = int((~free).sum())
    return hits, int(free.sum()), len(found.scores) - hits
