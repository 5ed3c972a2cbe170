"""The fields of classification of table rows."""

from __future__ import annotations

from typing import Literal

from engine.config.tasks.classification import ClassificationConfig
from engine.config.tasks.tabular import TabularConfig


class TabularClassificationConfig(TabularConfig, ClassificationConfig):
    """Columns, target, weights of classes."""

    kind: Literal["tabular_classification"] = "tabular_classification"
    title = "Classification of rows"
    implementation = "engine.tasks.tabular_classification:TabularClassification"
    pipeline = "engine.pipelines.tabular_classification:TabularClassificationPipeline"
    splits_by_column = True
    metrics = ClassificationConfig.metrics
