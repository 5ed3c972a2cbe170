"""The fields of text classification."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.metric import Metric
from engine.config.tasks.classification import CLASS_METRICS, ClassificationConfig
from engine.config.tasks.plain_texts import PlainTextsConfig


class TextClassificationConfig(PlainTextsConfig, ClassificationConfig):
    """Columns and the longest text."""

    kind: Literal["text_classification"] = "text_classification"
    title = "Text classification"
    implementation = "engine.tasks.text_classification:TextClassification"
    pipeline = "engine.pipelines.text_classification:TextClassificationPipeline"
    splits_by_column = True
    domain = "text"
    models = ("transformer",)
    metrics: ClassVar[tuple[Metric, ...]] = (
        *CLASS_METRICS,
        Metric(
            "f1_micro", percent=True, help="micro F1: over all labels, where texts have several"
        ),
    )

    text: str = option("", "Column with the texts; empty finds it", column=True)
    text_pair: str = option(
        "", "Column with a second text, such as a hypothesis; empty looks for one", column=True
    )
    label: str = option(
        "", "Column with the classes, or lists of classes; empty finds it", column=True
    )
    max_length: int = option(
        256, "Maximum length; longer texts are truncated", ge=4, le=1_000_000, unit="tokens"
    )
