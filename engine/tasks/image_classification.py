"""Which of several classes an image shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from engine.fields import option
from engine.metric import Metric
from engine.tasks.classification import CLASS_METRICS, ClassificationConfig
from engine.tasks.task import Evaluator, Fitted, Report, Task

if TYPE_CHECKING:
    import pyarrow as pa
    import torch
    from torch import nn

    from engine.config import RunConfig
    from engine.data.raw import RawData
    from engine.summary import DataSummary
    from engine.training.batch import Batch, Source


class ImageClassificationConfig(ClassificationConfig):
    """Columns, size of the images and augmentation."""

    kind: Literal["image_classification"] = "image_classification"
    title = "Image classification"
    domain = "vision"
    models = ("cnn", "torchvision")
    metrics: ClassVar[tuple[Metric, ...]] = (
        *CLASS_METRICS,
        Metric("top5", percent=True, help="share of samples whose class was among the five likeliest"),
    )

    image: str = option("", "Column with the images; empty finds it", column=True)
    label: str = option("", "Column with the classes; empty finds it", column=True)
    image_size: int = option(
        0, "Side to which images are resized; 0 takes the most frequent size", ge=0, le=1024, unit="px"
    )

    def create(self, config: RunConfig) -> Task[Any]:
        """The task."""
        return ImageClassification(config)


class ImageFitted(Fitted):
    """What was learned from the training images."""

    image: str
    label: str
    classes: list[str]
    counts: list[int]
    channels: int
    size: int
    mean: list[float]
    std: list[float]


class ImageClassification(Task[ImageFitted]):
    """One network over images of one size."""

    fitted_type = ImageFitted
