"""Semantic segmentation: a class for each pixel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.batches.device_constant import DeviceConstant
from engine.batches.source import Batch, Source
from engine.config.run_config import RunConfig
from engine.config.tasks.semantic_segmentation import SemanticSegmentationConfig
from engine.data.masks import IGNORED
from engine.data.raw import RawData
from engine.data.threads import in_threads
from engine.metrics.classes.classification import balanced_weights
from engine.metrics.evaluator import Evaluator
from engine.metrics.images.segmentation import (
    ClassOverlap,
    SegmentationEvaluator,
    evaluate_pixels,
    known_share,
    mean_of,
    pixel_counts,
    pixel_loss,
)
from engine.pipelines.semantic_segmentation import SemanticSegmentationPipeline
from engine.reports.gallery import Gallery
from engine.reports.picture import Picture
from engine.tasks.annotated_images import AnnotatedTask
from engine.tasks.galleries.annotated import masks_gallery
from engine.tasks.galleries.painted import mask_sample
from engine.tasks.presentation import Presentation, Records
from engine.tasks.shown_samples import ShownSamples
from engine.vision.annotated.mask_prediction import enlarged, mask_of, segments_of, shares_text
from engine.vision.annotated.painted import mask_painted
from engine.vision.annotated.source import Target
from engine.vision.annotated_fitted import SegmentationFitted
from engine.vision.augmentation.placement import Placement
from engine.vision.files.column import images_of

_SHOWN = 5
"""Images for the monitor."""
_SHARES = 1_000_000
"""Pixels that stand for all in the weights of classes."""


class SemanticSegmentation(AnnotatedTask[SegmentationFitted]):
    """One network over images of one size; masks move with their pixels."""

    pipeline: SemanticSegmentationPipeline
    section: SemanticSegmentationConfig
    move = Placement.masks
    _evaluator: SegmentationEvaluator | None = None

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._class_weights: DeviceConstant | None = None

    @override
    def targets(
        self, table: pa.Table, fitted: SegmentationFitted
    ) -> Callable[[int], Target] | None:
        if fitted.mask not in table.column_names:
            return None
        images, masks = images_of(table, fitted.image), images_of(table, fitted.mask)
        coding = fitted.coding
        return lambda row: coding.numbers(masks[row], fitted.size, images[row])

    @override
    def weigh(self, target: Target) -> float:
        return known_share(target)

    @override
    def processor(self, fitted: SegmentationFitted) -> str:
        del fitted
        return "SegformerImageProcessor"

    @override
    def build_network(self, fitted: SegmentationFitted) -> nn.Module:
        """The network of the model section; notes what each class weighs in the loss."""
        self._class_weights = (
            DeviceConstant(balanced_weights([round(share * _SHARES) for share in fitted.pixels]))
            if self.section.class_weights == "balanced"
            else None
        )
        return super().build_network(fitted)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy over pixels, with the Dice loss where it has a weight."""
        return self._pixel_loss(network(batch.inputs), batch.targets)

    def _pixel_loss(self, logits: Tensor, masks: Tensor) -> Tensor:
        weights = self._class_weights
        known = None if weights is None else weights.like(logits)
        return pixel_loss(logits, masks, known, self.section.dice_weight)

    def evaluator(self, fitted: SegmentationFitted) -> Evaluator:
        """Metrics over all pixels, per class, and the worst images."""

        def forward(network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
            logits: Tensor = network(batch.inputs)
            return logits, self._pixel_loss(logits, batch.targets)

        self._evaluator = SegmentationEvaluator(fitted.classes, forward)
        return self._evaluator

    @override
    def gallery(
        self, network: nn.Module, source: Source, fitted: SegmentationFitted
    ) -> Gallery | None:
        """The worst images of the last evaluation with views, which was on ``source``."""
        known = self._evaluator
        return None if known is None else masks_gallery(network, known, source, fitted)

    def predict(
        self, network: nn.Module, batch: Batch, fitted: SegmentationFitted
    ) -> list[dict[str, Any]]:
        """The image with its size in pixels, and the classes found in it with their places."""
        logits = network(batch.inputs).float()
        records = []
        for own, row in zip(logits, batch.rows.to_pylist(), strict=True):
            mask = enlarged(own, row["width"], row["height"])
            size = {"width": row["width"], "height": row["height"]}
            records.append(
                {"image": row["name"], **size, "segments": segments_of(mask, fitted.classes)}
            )
        return records

    @override
    def presentation(self, network: nn.Module, fitted: SegmentationFitted) -> Presentation:
        """Shares of the classes as bars, and the images below their masks."""
        return Presentation(_as_shares, partial(_pictures, fitted))

    @override
    def samples(
        self, network: nn.Module, source: Source, fitted: SegmentationFitted
    ) -> ShownSamples:
        """The first few images: shares of the classes, predicted and true, and the mean IoU."""
        batch = next(source.read(source.plan(_SHOWN)[:1]), None)
        if batch is None or batch.targets is None:
            return ShownSamples()
        predicted = network(batch.inputs).argmax(1).to(torch.uint8)
        counts = pixel_counts(predicted, batch.targets, len(fitted.classes)).cpu().numpy()
        pairs = zip(predicted.cpu().numpy(), batch.targets.cpu().numpy(), strict=True)
        texts = [
            {
                "image": name,
                "predicted": shares_text(segments_of(mine, fitted.classes)),
                "label": shares_text(segments_of(truth, fitted.classes)),
                "mean IoU": f"{mean_of(ClassOverlap(own).iou):.3f}",
            }
            for name, (mine, truth), own in zip(
                batch.rows["name"].to_pylist(), pairs, counts, strict=True
            )
        ]
        return ShownSamples(
            texts[:_SHOWN],
            _painted(batch, batch.targets, fitted),
            _painted(batch, predicted, fitted),
        )

    @override
    def baselines(self, raw: RawData, fitted: SegmentationFitted) -> list[Baseline]:
        """The most frequent class for every pixel."""
        table = raw.decisive
        targets = None if table is None else self.targets(table, fitted)
        if table is None or targets is None:
            return []
        classes = len(fitted.classes)
        usual = int(np.argmax(fitted.pixels))

        def counts(row: int) -> np.ndarray[Any, Any]:
            numbers = targets(row)
            found = np.zeros((classes, classes), np.int64)
            found[:, usual] = np.bincount(numbers[numbers != IGNORED], minlength=classes)
            return found

        whole = np.stack(list(in_threads(counts, range(table.num_rows))))
        name = f"every pixel {fitted.classes[usual]}"
        return [Baseline(name, evaluate_pixels(whole, fitted.classes, float("nan")))]


def _as_shares(records: Records) -> Records:
    """Return shares of the classes, without run lengths, which no person reads."""
    return [
        {
            "image": f"{record['image']}, {record['width']}×{record['height']} px",
            "labels": [segment["label"] for segment in record["segments"]],
            "scores": {segment["label"]: segment["share"] for segment in record["segments"]},
        }
        for record in records
    ]


def _pictures(fitted: SegmentationFitted, table: pa.Table, records: Records) -> list[Picture]:
    images = images_of(table.slice(0, _SHOWN), fitted.image)
    painted = (
        mask_painted(image, mask_of(record, fitted.classes), fitted, name=record["image"])
        for record, image in zip(records, images, strict=False)
    )
    return [one for one in painted if one is not None]


def _painted(batch: Batch, masks: Tensor, fitted: SegmentationFitted) -> list[Picture]:
    """Return the images of a batch below masks ``[batch, height, width]``."""
    numbers = masks.cpu().numpy().astype(np.uint8)
    return [
        mask_sample(image, mask, fitted, name=name)
        for image, mask, name in zip(
            batch.inputs, numbers, batch.rows["name"].to_pylist(), strict=True
        )
    ][:_SHOWN]
