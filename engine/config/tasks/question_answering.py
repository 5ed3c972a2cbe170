"""The fields of extractive question answering."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.metric import LOSS, Metric
from engine.config.tasks.plain_texts import PlainTextsConfig

LARGEST_OVERLAP = 3
"""Windows may share a third of their tokens, so that they always move on."""


class QuestionAnsweringConfig(PlainTextsConfig):
    """Columns, windows and the longest answer."""

    kind: Literal["question_answering"] = "question_answering"
    title = "Question answering"
    implementation = "engine.tasks.question_answering:QuestionAnswering"
    pipeline = "engine.pipelines.question_answering:QuestionAnsweringPipeline"
    splits_by_column = True
    domain = "text"
    models = ("transformer",)
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("f1", percent=True, help="words in common with the reference, as SQuAD counts them"),
        Metric("exact_match", percent=True, help="share of answers equal to a reference"),
        LOSS,
    )

    question: str = option("", "Column with the questions; empty takes question", column=True)
    context: str = option("", "Column with the contexts; empty takes context", column=True)
    answers: str = option(
        "", "Column with the answers and their start positions; empty takes answers", column=True
    )
    answer_start: str = option(
        "",
        "Column with the start positions, where the answers are plain text; empty finds it",
        column=True,
        advanced=True,
    )
    max_length: int = option(
        384,
        "Maximum length of a question with a window of its context",
        ge=32,
        le=1_000_000,
        unit="tokens",
    )
    doc_stride: int = option(
        128, "Overlap of neighbouring windows", ge=0, unit="tokens", advanced=True
    )
    max_answer_length: int = option(
        30, "Maximum length of an answer", ge=1, le=10_000, unit="tokens", advanced=True
    )

    @model_validator(mode="after")
    def _windows_move_on(self) -> QuestionAnsweringConfig:
        most = self.max_length // LARGEST_OVERLAP
        if self.doc_stride > most:
            raise PydanticCustomError(
                "mismatch",
                "windows of {length} tokens can share {most} at most, not {stride}",
                {
                    "field": "doc_stride",
                    "length": self.max_length,
                    "most": most,
                    "stride": self.doc_stride,
                },
            )
        return self
