"""The fields of image classification."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from engine.config.fields import option
from engine.config.metric import Metric
from engine.config.tasks.augmentation import ClassAugmentationConfig
from engine.config.tasks.classification import CLASS_METRICS, ClassificationConfig


class ImageClassificationConfig(ClassificationConfig):
    """Columns, size of the images and augmentation."""

    kind: Literal["image_classification"] = "image_classification"
    title = "Image classification"
    implementation = "engine.tasks.image_classification:ImageClassification"
    pipeline = "engine.pipelines.image_classification:ImageClassificationPipeline"
    splits_by_column = True
    domain = "vision"
    by_data = frozenset({"train.epochs"})
    models = ("residual_cnn", "cnn", "torchvision", "image_transformer")
    metrics: ClassVar[tuple[Metric, ...]] = (
        *CLASS_METRICS,
        Metric(
            "top5", percent=True, help="share of images whose class was among the likeliest five"
        ),
        Metric(
            "f1_micro", percent=True, help="micro F1: over all labels, where images have several"
        ),
    )

    image: str = option("", "Column with the images; empty finds it", column=True)
    label: str = option(
        "", "Column with the classes, or lists of classes; empty finds it", column=True
    )
    image_size: int = option(
        0,
        "Image size after resizing; 0 takes that of the pre-trained weights, else the "
        "most frequent one up to 224",
        ge=0,
        le=1024,
        unit="px",
        automatic="0",
    )
    resize: Literal["crop", "stretch"] = option(
        "crop", "Resizing: crop the central square, or stretch the whole image", advanced=True
    )
    test_time_flip: bool = option(
        False,
        "Test-time flip: average the logits of each image and its mirror image, in evaluations and "
        "predictions, at twice their cost",
        advanced=True,
    )
    augmentation: ClassAugmentationConfig = Field(default_factory=ClassAugmentationConfig)
