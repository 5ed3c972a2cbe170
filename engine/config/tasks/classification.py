"""The fields that all tasks with one class a sample share."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.metric import LOSS, Metric
from engine.config.tasks.base import TaskConfig

ACCURACY = Metric("accuracy", percent=True, help="share of samples whose class was found")
CLASS_METRICS = (
    ACCURACY,
    LOSS,
    Metric("f1", percent=True, help="macro F1: mean over the classes"),
    Metric("precision", percent=True, help="macro precision: mean over the classes"),
    Metric("recall", percent=True, help="macro recall: mean over the classes"),
    Metric("roc_auc", help="area under the ROC curve, one class against the rest"),
)


class ClassificationConfig(TaskConfig):
    """Weights of classes and smoothing of labels."""

    metrics: ClassVar[tuple[Metric, ...]] = CLASS_METRICS

    class_weights: Literal["none", "balanced"] = option(
        "none", "Class weights in the loss; balanced weighs classes by inverse frequency"
    )
    class_names: dict[str, str] = option(
        {},
        "Names of classes, by their values in the data: 1=World, 2=Sports; others keep their value",
        advanced=True,
    )
    label_smoothing: float = option(
        0.0,
        "Label smoothing: probability that is spread over all classes",
        ge=0,
        lt=1,
        advanced=True,
    )
