"""The fields of regression on texts: a number for a text, or a score for a pair, as rerankers."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.metric import LOSS, Metric
from engine.config.tasks.plain_texts import PlainTextsConfig
from engine.config.tasks.tabular_regression import TabularRegressionConfig

_OF_NUMBERS = [metric for metric in TabularRegressionConfig.metrics if metric != LOSS]


class TextRegressionConfig(PlainTextsConfig):
    """Columns, loss function and the longest text."""

    kind: Literal["text_regression"] = "text_regression"
    title = "Text regression, reranking"
    implementation = "engine.tasks.text_regression:TextRegression"
    pipeline = "engine.pipelines.text_regression:TextRegressionPipeline"
    splits_by_column = True
    domain = "text"
    models = ("transformer",)
    metrics: ClassVar[tuple[Metric, ...]] = (
        *_OF_NUMBERS,
        Metric("spearman", help="Spearman correlation: whether the order is right"),
        Metric("ndcg_at_10", help="nDCG@10: second texts ranked for each first text"),
        LOSS,
    )

    text: str = option("", "Column with the texts, such as queries; empty finds it", column=True)
    text_pair: str = option(
        "", "Column with a second text, such as a passage; empty looks for one", column=True
    )
    target: str = option("", "Column with the numbers; empty finds it", column=True)
    loss: Literal["mse", "mae", "huber", "bce"] = option(
        "mse",
        "Loss function; bce (binary cross-entropy) is for targets from 0 to 1, such as relevance",
    )
    max_length: int = option(
        256, "Maximum length; longer texts are truncated", ge=4, le=1_000_000, unit="tokens"
    )
