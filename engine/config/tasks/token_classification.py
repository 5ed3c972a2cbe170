"""The fields of token classification."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.metric import LOSS, Metric
from engine.config.tasks.plain_texts import PlainTextsConfig


class TokenClassificationConfig(PlainTextsConfig):
    """Columns and the longest sentence."""

    kind: Literal["token_classification"] = "token_classification"
    title = "Named entities"
    implementation = "engine.tasks.token_classification:TokenClassification"
    pipeline = "engine.pipelines.token_classification:TokenClassificationPipeline"
    splits_by_column = True
    domain = "text"
    models = ("transformer",)
    learns_tokens = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("f1", percent=True, help="F1 over entities; type and borders must be right"),
        Metric("precision", percent=True, help="share of the entities named that are right"),
        Metric("recall", percent=True, help="share of the entities there that were found"),
        Metric("accuracy", percent=True, help="share of words whose tag is right"),
        LOSS,
    )

    tokens: str = option("", "Column with lists of words; empty finds it", column=True)
    tags: str = option("", "Column with lists of tags; empty finds it", column=True)
    sentence: str = option(
        "",
        "Column with the number of the sentence, in tables with one word a row; empty finds it",
        column=True,
        advanced=True,
    )
    tag_names: tuple[str, ...] = option(
        (),
        "Names of tags that are numbers, from 0 on, such as O, B-PER, I-PER",
        advanced=True,
    )
    max_length: int = option(
        256,
        "Maximum length of a window; longer sentences are split into overlapping windows",
        ge=4,
        le=1_000_000,
        unit="tokens",
    )
