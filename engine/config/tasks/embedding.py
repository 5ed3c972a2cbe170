"""The fields of text embedding: texts as vectors, so that those that belong together are near."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.metric import LOSS, Metric
from engine.config.tasks.plain_texts import PlainTextsConfig

Loss = Literal["auto", "in_batch_negatives", "cosine", "cosent"]
Pooling = Literal["auto", "mean", "cls", "last"]
SCORE_LOSSES = ("cosine", "cosent")


class EmbeddingConfig(PlainTextsConfig):
    """Columns, loss function, pooling, and prompts."""

    kind: Literal["embedding"] = "embedding"
    title = "Text embedding"
    implementation = "engine.tasks.embedding:Embedding"
    pipeline = "engine.pipelines.embedding:EmbeddingPipeline"
    splits_by_column = True
    answers_untrained = True
    domain = "text"
    models = ("transformer",)
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("ndcg_at_10", help="nDCG@10: held-out passages ranked for each query"),
        Metric("mrr_at_10", help="MRR@10: mean of 1 / rank of the first relevant passage"),
        Metric("recall_at_1", percent=True, help="recall@1: relevant passages ranked first"),
        Metric("recall_at_10", percent=True, help="recall@10: relevant passages among the first"),
        Metric("spearman", help="Spearman correlation of cosine similarities and scores"),
        Metric("pearson", help="Pearson correlation of cosine similarities and scores"),
        LOSS,
    )

    anchor: str = option(
        "", "Column with the anchors, such as queries; empty finds it", column=True
    )
    positive: str = option(
        "", "Column with the texts that belong to them, such as passages; empty finds it",
        column=True,
    )  # fmt: skip
    negatives: tuple[str, ...] = option(
        (), "Columns with hard negatives; empty finds them, - ignores them", column=True
    )
    score: str = option(
        "", "Column with the similarity of each pair; empty finds it, - ignores it", column=True
    )
    score_min: float | None = option(
        None, "Lowest score of the scale; empty takes it from the data", advanced=True
    )
    score_max: float | None = option(
        None, "Highest score of the scale; empty takes it from the data", advanced=True
    )
    loss: Loss = option(
        "auto",
        "Loss function: in-batch negatives (InfoNCE) for pairs and triplets, cosent (order) or "
        "cosine (squared error) for scores; auto chooses by the data",
    )
    temperature: float = option(
        0.05, "Temperature that similarities are divided by; 0.05 is a scale of 20", gt=0, le=10
    )
    symmetric: bool = option(
        False, "In-batch negatives in both directions: also find the anchor of each passage"
    )
    mini_batch_size: int = option(
        0,
        "Cached gradients: rows that are embedded at once, with the negatives of the whole batch; "
        "0 embeds the whole batch",
        ge=0,
        le=1_000_000,
    )
    dimensions: tuple[int, ...] = option(
        (), "Matryoshka: sizes to which vectors can be cut, such as 384,128,64; empty trains one"
    )
    dimension_weights: tuple[float, ...] = option(
        (), "Matryoshka: weight of each size in the loss; empty weighs them alike", advanced=True
    )
    pooling: Pooling = option(
        "auto", "Pooling of the tokens' vectors; auto is the model's own, or mean"
    )
    normalize: Literal["auto", "yes", "no"] = option(
        "auto", "Normalize vectors to length 1; auto does as the model did, or yes", advanced=True
    )
    query_prompt: str = option(
        "", "Text before each anchor, such as `query: `; empty is the model's own, - is none"
    )
    passage_prompt: str = option(
        "", "Text before each passage, such as `passage: `; empty is the model's own, - is none"
    )
    max_length: int = option(
        256, "Maximum length; longer texts are truncated", ge=4, le=1_000_000, unit="tokens"
    )

    def metric(self, name: str = "") -> Metric:
        """Return the metric of this name; with scores their correlation decides."""
        return super().metric(name or ("spearman" if self.loss in SCORE_LOSSES else ""))

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if any(size < 1 for size in self.dimensions):
            raise PydanticCustomError("mismatch", "sizes are at least 1", {"field": "dimensions"})
        if self.dimension_weights and len(self.dimension_weights) != len(self.dimensions):
            raise PydanticCustomError(
                "mismatch",
                "{weights} weights do not suit {sizes} sizes",
                {
                    "field": "dimension_weights",
                    "weights": len(self.dimension_weights),
                    "sizes": len(self.dimensions),
                },
            )
        low, high = self.score_min, self.score_max
        if low is not None and high is not None and low >= high:
            raise PydanticCustomError(
                "mismatch", "it must be above score_min", {"field": "score_max"}
            )
        return self
