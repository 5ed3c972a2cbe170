"""Image classification: one of several classes, or several labels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.batches.device_constant import DeviceConstant
from engine.batches.source import Batch, Source
from engine.config.models.image import Preprocessing
from engine.config.models.image_transformer import ImageTransformerConfig
from engine.config.run_config import RunConfig
from engine.config.tasks.augmentation import ClassAugmentationConfig
from engine.config.tasks.image_classification import ImageClassificationConfig
from engine.data.raw import RawData
from engine.metrics.classes.classification import balanced_weights, class_loss
from engine.metrics.evaluator import Evaluator
from engine.metrics.images.flipped import FlippedImages
from engine.metrics.images.mistakes import ImageEvaluator
from engine.models.build import build_model
from engine.models.images.mirrored import Mirrored, both_sides
from engine.models.shapes import ImageShape
from engine.pipelines.image_classification import ImageClassificationPipeline
from engine.reports.class_records import class_record, labels_record, said
from engine.reports.explanation import Explanation
from engine.reports.gallery import Gallery
from engine.reports.picture import Picture
from engine.runs.events import Report
from engine.tasks.deployment import Deployment
from engine.tasks.explanations.image import explain_image
from engine.tasks.galleries.images import mistakes_gallery, sample_pictures
from engine.tasks.image_baseline import image_baselines
from engine.tasks.network_files import NetworkFiles
from engine.tasks.presentation import Presentation, Records
from engine.tasks.shown_samples import ShownSamples
from engine.tasks.task import Task
from engine.vision.augmentation.batch import Augmentation
from engine.vision.augmentation.mixing import Mixing
from engine.vision.encoding import class_targets, encode_images
from engine.vision.files.column import images_of
from engine.vision.files.processor_file import write_processor
from engine.vision.fitted import ImageFitted
from engine.vision.pictures import pictures_of
from engine.vision.prediction import shown
from engine.vision.preparation import Normalisation, Preparation, ProgressiveSize
from engine.vision.start_size import check_start_size

_SHOWN = 5
"""Images for the monitor."""


class ImageClassification(Task[ImageFitted]):
    """One network over images of one size."""

    pipeline: ImageClassificationPipeline
    section: ImageClassificationConfig

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._class_weights: DeviceConstant | None = None
        self._multi_label = False
        self._evaluator: ImageEvaluator | None = None

    def encode(
        self, table: pa.Table, fitted: ImageFitted, device: torch.device, report: Report
    ) -> Source:
        """Decoded images on the device, or where they are too many, as they are needed."""
        cache_bytes = int(self.config.compute.image_cache * 1e9)
        source, skips = encode_images(
            table,
            fitted,
            class_targets(table, fitted),
            _preparation(self.section.augmentation, self.config.train.epoch_count, fitted),
            device,
            report,
            cache_bytes,
            self.pipeline.decoded.take(table),
        )
        self.pipeline.undecoded += skips
        return source

    def build_network(self, fitted: ImageFitted) -> nn.Module:
        """The network of the model section; notes what the loss needs of the data."""
        self._multi_label = fitted.multi_label
        balanced = self.section.class_weights == "balanced" and not fitted.multi_label
        self._class_weights = DeviceConstant(balanced_weights(fitted.counts)) if balanced else None
        network = build_model(
            self.config.model,
            ImageShape(fitted.channels, fitted.size, len(fitted.classes), tuple(fitted.classes)),
        )
        check_start_size(network, self.section.augmentation.start_size, fitted)
        # As the images are laid out, which of grey ones cannot be seen.
        return network.to(memory_format=torch.channels_last)

    @override
    def files(self, fitted: ImageFitted) -> NetworkFiles:
        """With the image preprocessing in the format that transformers reads."""
        usual = super().files(fitted)
        if not isinstance(self.config.model, ImageTransformerConfig):
            return usual
        wanted = Preprocessing(fitted.size, tuple(fitted.mean), tuple(fitted.std))
        return replace(usual, companions=partial(write_processor, wanted, resize=fitted.resize))

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy; over each class by itself where an image can have several.

        Targets of mixed images are shares of the classes.
        """
        logits = network(batch.inputs)
        if self._multi_label:
            return functional.binary_cross_entropy_with_logits(logits, batch.targets.to(logits))
        weights = self._class_weights
        return class_loss(
            logits,
            batch.targets,
            None if weights is None else weights.like(logits),
            self.section.label_smoothing,
        )

    def evaluator(self, fitted: ImageFitted) -> Evaluator:
        """Metrics of classes, and the worst mistakes with the names of their images."""
        if self.section.test_time_flip:
            flipped = FlippedImages(fitted.classes, fitted.multi_label, _sides)
            self._evaluator = flipped.both
            return flipped
        self._evaluator = ImageEvaluator(fitted.classes, fitted.multi_label, self._logits)
        return self._evaluator

    @override
    def deployment(self) -> Deployment:
        return Deployment(Mirrored) if self.section.test_time_flip else Deployment()

    @override
    def gallery(self, network: nn.Module, source: Source, fitted: ImageFitted) -> Gallery | None:
        """The worst mistakes of the last evaluation with views, which was on ``source``."""
        del network
        known = self._evaluator
        return None if known is None else mistakes_gallery(known, source, fitted)

    @override
    def presentation(self, network: nn.Module, fitted: ImageFitted) -> Presentation:
        return Presentation(pictures=partial(_pictures, fitted))

    @override
    def explain(
        self, network: nn.Module, batch: Batch, fitted: ImageFitted, target: str
    ) -> Explanation:
        with torch.no_grad():
            logits = self._logits(network, batch)[0].float()
        return explain_image(network, batch, fitted, logits, target)

    def predict(
        self, network: nn.Module, batch: Batch, fitted: ImageFitted
    ) -> list[dict[str, Any]]:
        """The image, its class, how sure the network is, and the likeliest five."""
        logits = self._logits(network, batch).float()
        record, chances = (
            (labels_record, logits.sigmoid())
            if fitted.multi_label
            else (class_record, logits.softmax(1))
        )
        return [
            {"image": name} | record(row, fitted.classes)
            for name, row in zip(batch.rows["name"].to_pylist(), chances.tolist(), strict=True)
        ]

    @override
    def baselines(self, raw: RawData, fitted: ImageFitted) -> list[Baseline]:
        return image_baselines(raw, fitted)

    @override
    def samples(self, network: nn.Module, source: Source, fitted: ImageFitted) -> ShownSamples:
        """The first few images, what the network makes of them, and what is true."""
        batch = next(source.read(source.plan(_SHOWN)[:1]), None)
        if batch is None or batch.targets is None:
            return ShownSamples()
        texts = shown(batch, self.predict(network, batch, fitted), fitted.classes)
        return ShownSamples(texts[:_SHOWN], sample_pictures(batch, fitted))

    def _logits(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the logits, averaged over each image and its mirror image if that is set."""
        if self.section.test_time_flip:
            own, other = _sides(network, batch)
            return (own + other) / 2
        logits: torch.Tensor = network(batch.inputs)
        return logits


def _preparation(fields: ClassAugmentationConfig, epochs: int, fitted: ImageFitted) -> Preparation:
    sizes = ProgressiveSize(fields.start_size, epochs)
    return Preparation(
        Normalisation(fitted.mean, fitted.std),
        Augmentation(fields),
        Mixing(fields.mixup, fields.cutmix, len(fitted.classes)),
        sizes if fields.start_size else None,
        fields.resized_crop,
    )


def _sides(network: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    return both_sides(network, batch.inputs)


def _pictures(fitted: ImageFitted, table: pa.Table, records: Records) -> list[Picture]:
    images = images_of(table.slice(0, _SHOWN), fitted.image)
    found = zip(records, pictures_of(images, fitted), strict=False)
    return [replace(one, caption=said(record)) for record, one in found if one is not None]
