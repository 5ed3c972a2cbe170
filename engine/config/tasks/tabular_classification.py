"""The fields of classification of table rows."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.tasks.classification import ClassificationConfig
from engine.config.tasks.tabular import TabularConfig
from engine.config.tasks.threshold import RULES, ThresholdRule, parse_rule


class TabularClassificationConfig(TabularConfig, ClassificationConfig):
    """Columns, target, weights of classes, and the decision between two."""

    kind: Literal["tabular_classification"] = "tabular_classification"
    title = "Classification of rows"
    implementation = "engine.tasks.tabular_classification:TabularClassification"
    pipeline = "engine.pipelines.tabular_classification:TabularClassificationPipeline"
    splits_by_column = True
    metrics = ClassificationConfig.metrics

    threshold: str = option(
        "",
        "Decision threshold for the positive of two classes: a probability such as 0.3, or what it "
        "is chosen for on the validation rows: f1, precision 0.9, recall 0.9, or cost 5:1 of false "
        "positives to false negatives; empty takes the likelier class",
        suggestions=RULES,
        advanced=True,
    )
    positive: str = option(
        "", "Positive class of task.threshold; empty takes the rarer one", advanced=True
    )

    @field_validator("threshold")
    @classmethod
    def _is_rule(cls, value: str) -> str:
        try:
            parse_rule(value or "0.5")
        except ValueError as error:
            raise PydanticCustomError("not_allowed", "{why}", {"why": str(error)}) from None
        return value

    @property
    def rule(self) -> ThresholdRule | None:
        """The rule of :attr:`threshold`; ``None`` where it is empty."""
        return parse_rule(self.threshold) if self.threshold else None
