"""Object detection: a box and a class for each object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor, nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.baselines.usual_boxes import USUAL_BOXES
from engine.batches.source import Batch, Source
from engine.config.tasks.object_detection import ObjectDetectionConfig
from engine.data.images import upright_size
from engine.data.raw import RawData
from engine.metrics.evaluator import Evaluator
from engine.metrics.images.detection import (
    DetectionEvaluator,
    Found,
    JudgedImage,
    in_pixels,
    judged,
    outcome,
    sure_of,
)
from engine.models.images.detector import Detections, objects_of
from engine.pipelines.object_detection import ObjectDetectionPipeline
from engine.reports.gallery import Gallery
from engine.reports.picture import Picture
from engine.tasks.annotated_images import AnnotatedTask
from engine.tasks.deployment import Deployment
from engine.tasks.galleries.annotated import boxes_gallery
from engine.tasks.galleries.painted import box_sample
from engine.tasks.presentation import Presentation, Records
from engine.tasks.shown_samples import ShownSamples
from engine.tasks.usual_objects import evaluate_usual_boxes
from engine.vision.annotated.painted import boxes_painted
from engine.vision.annotated.source import Target
from engine.vision.annotated_fitted import DetectionFitted
from engine.vision.augmentation.placement import NO_OBJECT, Placement
from engine.vision.files.column import images_of

_DENSE, _QUERIES = 4, 3
"""Dimensions of outputs that have a cell for each place of an image, or queries."""
_SHOWN = 5
"""Images for the monitor."""


class ObjectDetection(AnnotatedTask[DetectionFitted]):
    """One network over images of one size; boxes move with their pixels."""

    pipeline: ObjectDetectionPipeline
    section: ObjectDetectionConfig
    move = Placement.boxes
    _evaluator: DetectionEvaluator | None = None

    @override
    def targets(self, table: pa.Table, fitted: DetectionFitted) -> Callable[[int], Target] | None:
        if fitted.objects not in table.column_names:
            return None
        cells = table[fitted.objects].to_pylist()
        images = images_of(table, fitted.image)
        numbers = {name: number for number, name in enumerate(fitted.classes)}
        # One more, so that there is a row for no object.
        most = max(1, *map(len, cells)) if cells else 1

        def target(row: int) -> Target:
            sides = np.array(upright_size(images[row]) * 2, np.float64)
            boxes = np.full((most, 5), (0, 0, 0, 0, NO_OBJECT), np.float32)
            for place, one in enumerate(cells[row]):
                boxes[place] = (*(np.array(one["box"]) / sides), numbers[one["label"]])
            return boxes

        return target

    @override
    def processor(self, fitted: DetectionFitted) -> str:
        del fitted
        return "RTDetrImageProcessor"

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """The detector's own loss."""
        loss: Tensor = network(batch.inputs, batch.targets)
        return loss

    def evaluator(self, fitted: DetectionFitted) -> Evaluator:
        """COCO's metrics, per class, and the worst images."""
        self._evaluator = DetectionEvaluator(
            fitted.classes, self.section.score_threshold, _measured
        )
        return self._evaluator

    @override
    def gallery(
        self, network: nn.Module, source: Source, fitted: DetectionFitted
    ) -> Gallery | None:
        """The worst images of the last evaluation with views, which was on ``source``."""
        del network
        known = self._evaluator
        return None if known is None else boxes_gallery(known, source, fitted)

    def predict(
        self, network: nn.Module, batch: Batch, fitted: DetectionFitted
    ) -> list[dict[str, Any]]:
        """The image with its size in pixels, and the objects found in it, the likeliest first."""
        pairs = zip(_detect(network, batch), batch.rows.to_pylist(), strict=True)
        records = []
        for own, row in pairs:
            found = in_pixels(own, row["width"], row["height"])
            size = {"width": row["width"], "height": row["height"]}
            objects = _records(sure_of(found, self.section.score_threshold), fitted.classes)
            records.append({"image": row["name"], **size, "objects": objects})
        return records

    @override
    def deployment(self) -> Deployment:
        return Deployment(comparable=_sorted)

    @override
    def presentation(self, network: nn.Module, fitted: DetectionFitted) -> Presentation:
        """A line for each object, and the images with its box."""
        in_words = partial(_in_words, self.section.score_threshold)
        return Presentation(in_words, partial(_pictures, fitted))

    @override
    def samples(self, network: nn.Module, source: Source, fitted: DetectionFitted) -> ShownSamples:
        """The first few images: objects predicted and true, and how many agree."""
        batch = next(source.read(source.plan(_SHOWN)[:1]), None)
        if batch is None or batch.targets is None:
            return ShownSamples()
        found = _detect(network, batch)
        true = [Detections(boxes, numbers.new_ones(len(numbers)), numbers)
                for boxes, numbers in objects_of(batch.targets)]  # fmt: skip
        return ShownSamples(
            [self._outcome(image, fitted) for image in judged(found, batch)[:_SHOWN]],
            self._painted(batch, true, fitted),
            self._painted(batch, found, fitted),
        )

    def _outcome(self, image: JudgedImage, fitted: DetectionFitted) -> dict[str, str]:
        """Return the objects of an image, predicted and true, and how many agree."""
        threshold = self.section.score_threshold
        hits, missed, wrong = outcome(image, threshold)
        sure = sure_of(image.found, threshold)
        return {
            "image": image.name,
            "predicted": _listed(_records(sure, fitted.classes), True),
            "label": _listed(_records(image.truth, fitted.classes), False),
            "outcome": f"{hits} found, {missed} missed, {wrong} wrong",
        }

    def _painted(
        self, batch: Batch, found: Sequence[Detections], fitted: DetectionFitted
    ) -> list[Picture]:
        """Return the images of a batch with the objects that are sure."""
        sure = [sure_of(in_pixels(one, 1, 1), self.section.score_threshold) for one in found]
        names = batch.rows["name"].to_pylist()
        rows = zip(batch.inputs, sure, names, strict=True)
        return [box_sample(image, own, fitted, name=name) for image, own, name in rows][:_SHOWN]

    @override
    def baselines(self, raw: RawData, fitted: DetectionFitted) -> list[Baseline]:
        """The boxes that are the most frequent in training, in every image."""
        table = raw.decisive
        if table is None or fitted.objects not in table.column_names:
            return []
        result = evaluate_usual_boxes(raw.train, table, fitted)
        return [] if result is None else [Baseline(USUAL_BOXES, result)]


def _sorted(outputs: list[Tensor]) -> list[Tensor]:
    """Return columns of queries ``[batch, queries, …]`` and objects ``[objects, …]`` sorted.

    Networks put them in the order of scores, in which nearly equal ones change places.
    """
    return [
        value if value.ndim == _DENSE else value.sort(int(value.ndim == _QUERIES)).values
        for value in outputs
    ]


def _in_words(threshold: float, records: Records) -> Records:
    """Return a line for each object: its score, and its place in words.

    ``threshold`` is the least score of an object.
    """
    none = {"objects": f"none with a score of {threshold:.0%} or more"}
    return [
        {"image": f"{record['image']}, {record['width']}×{record['height']} px"}
        | {
            f"{place} {one['label']}": f"{one['score']:.1%}  {_place(one['box'])}"
            for place, one in enumerate(record["objects"], 1)
        }
        | (none if not record["objects"] else {})
        for record in records
    ]


def _pictures(fitted: DetectionFitted, table: pa.Table, records: Records) -> list[Picture]:
    images = images_of(table.slice(0, _SHOWN), fitted.image)
    painted = (
        boxes_painted(image, record["objects"], fitted, name=record["image"])
        for record, image in zip(records, images, strict=False)
    )
    return [one for one in painted if one is not None]


def _detect(network: Any, batch: Batch) -> list[Detections]:
    found: list[Detections] = network.detections(network(batch.inputs))
    return found


def _measured(network: Any, batch: Batch) -> tuple[Tensor, list[Detections]]:
    loss, outputs = network(batch.inputs, batch.targets)
    return loss, network.detections(outputs)


def _records(found: Found, classes: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"label": classes[number], "score": float(score),
         "box": [round(float(side), 2) for side in box]}
        for box, number, score in zip(found.boxes, found.classes, found.scores, strict=True)
    ]  # fmt: skip


def _place(box: list[float]) -> str:
    left, top, right, bottom = (round(side) for side in box)
    return f"x {left}–{right}, y {top}–{bottom}"


def _listed(objects: list[dict[str, Any]], scores: bool) -> str:
    """Return objects on one line: class, score and place."""
    return (
        "; ".join(
            f"{one['label']}{one['score']: .0%} {_place(one['box'])}"
            if scores
            else f"{one['label']} {_place(one['box'])}"
            for one in objects
        )
        or "—"
    )
