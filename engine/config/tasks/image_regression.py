"""The fields of regression on images: a number for each, such as an age, a count or a quality."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from engine.config.fields import option
from engine.config.metric import Metric
from engine.config.tasks.augmentation import WholeAugmentationConfig
from engine.config.tasks.base import TaskConfig
from engine.config.tasks.quantiles import Quantiles
from engine.config.tasks.tabular_regression import TabularRegressionConfig


class ImageRegressionConfig(TaskConfig):
    """Columns, loss function, size of the images and augmentation."""

    kind: Literal["image_regression"] = "image_regression"
    title = "Image regression"
    implementation = "engine.tasks.image_regression:ImageRegression"
    pipeline = "engine.pipelines.image_regression:ImageRegressionPipeline"
    splits_by_column = True
    domain = "vision"
    by_data = frozenset({"train.epochs"})
    models = ("residual_cnn", "cnn", "torchvision", "image_transformer")
    metrics: ClassVar[tuple[Metric, ...]] = TabularRegressionConfig.metrics

    image: str = option("", "Column with the images; empty finds it", column=True)
    target: str = option("", "Column with the numbers; empty finds it", column=True)
    loss: Literal["mse", "mae", "huber"] = option("mse", "Loss function", advanced=True)
    quantiles: Quantiles = option(
        (0.05, 0.5, 0.95),
        "Quantiles to predict, in rising order with 0.5, calibrated on the validation images; "
        "[0.5] alone predicts no band",
        advanced=True,
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
        "Test-time flip: average the numbers of each image and its mirror image, in evaluations "
        "and predictions, at twice their cost",
        advanced=True,
    )
    augmentation: WholeAugmentationConfig = Field(default_factory=WholeAugmentationConfig)

    @property
    @override
    def metric_names(self) -> tuple[str, ...]:
        """The names of the metrics that a training has: bands are fitted at its end."""
        return tuple(name for name in super().metric_names if name != "coverage")
