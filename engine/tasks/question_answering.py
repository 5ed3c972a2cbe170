"""Extractive question answering: the span of a text that answers a question, if any."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import torch
from torch import nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.baselines.likeliest_sentence import LIKELIEST_SENTENCE, likeliest_sentences
from engine.batches.source import Batch, Source
from engine.config.tasks.question_answering import QuestionAnsweringConfig
from engine.data.raw import RawData
from engine.metrics.evaluator import Evaluator
from engine.metrics.text.answers import (
    AnswerEvaluator,
    Answers,
    Asked,
    evaluate_answers,
    position_loss,
)
from engine.pipelines.question_answering import QuestionAnsweringFitted, QuestionAnsweringPipeline
from engine.runs.events import Report
from engine.tasks.text import TextTask
from engine.text.answers.answers import references_of
from engine.text.rows import text_column, texts_in
from engine.text.tokens.cache import encoded
from engine.text.tokens.padding import padded
from engine.text.tokens.source import token_inputs
from engine.text.tokens.windows import ContextWindows, WindowSource


class QuestionAnswering(TextTask[QuestionAnsweringFitted]):
    """The first and the last token of the answer in windows of the context."""

    pipeline: QuestionAnsweringPipeline
    section: QuestionAnsweringConfig

    head = "question_answering"

    def encode(
        self,
        table: pa.Table,
        fitted: QuestionAnsweringFitted,
        device: torch.device,
        report: Report,
    ) -> Source:
        """Windows with the tokens of the first answer."""
        references = references_of(table, fitted.context, fitted.answers)
        spans = [
            (answers[0][1], answers[0][1] + len(answers[0][0])) if answers else (-1, -1)
            for answers in references
        ]
        columns = pa.table({
            "question": text_column(table, fitted.question),
            "context": text_column(table, fitted.context),
            "row": pa.array(range(table.num_rows), pa.int64()),
            "begin": pa.array([begin for begin, _ in spans], pa.int64()),
            "end": pa.array([end for _, end in spans], pa.int64()),
        })  # fmt: skip
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
        windows = ContextWindows(tokenizer, fitted.max_length, fitted.stride)
        key = [*self.cache_key(fitted), fitted.stride]
        samples = encoded(columns, windows, key, report)
        return WindowSource(samples, _Collate(tokenizer.pad_token_id), device, table)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy of the first and of the last token, halved."""
        output = network(**batch.inputs)
        return position_loss(output.start_logits, output.end_logits, batch.targets)

    def evaluator(self, fitted: QuestionAnsweringFitted) -> Evaluator:
        """Exact match and F1."""
        return AnswerEvaluator(
            self.section.max_answer_length, fitted.may_lack, lambda rows: _asked(rows, fitted)
        )

    def predict(
        self, network: nn.Module, batch: Batch, fitted: QuestionAnsweringFitted
    ) -> list[dict[str, Any]]:
        """The answer, how sure the network is, and the characters where it stands."""
        answers = Answers(self.section.max_answer_length, fitted.may_lack)
        output = network(**batch.inputs)
        answers.add(output.start_logits.float(), output.end_logits.float(), batch.targets)
        return [
            {
                "answer": one.context[span.start : span.end],
                "score": span.score,
                "start": span.start,
                "end": span.end,
            }
            for one, span in zip(_asked(batch.rows, fitted), answers.spans(), strict=True)
        ]

    def shown(
        self, rows: pa.Table, records: list[dict[str, Any]], fitted: QuestionAnsweringFitted
    ) -> list[dict[str, str]]:
        """Question, answer and reference."""
        return [
            {
                "question": one.question,
                "predicted": record["answer"] or "—",
                "reference": one.references[0] if one.references else "—",
            }
            for one, record in zip(_asked(rows, fitted), records, strict=True)
        ]

    @override
    def baselines(self, raw: RawData, fitted: QuestionAnsweringFitted) -> list[Baseline]:
        """The sentence of the context that has the most words of the question."""
        table = raw.decisive
        if table is None:
            return []
        asked = _asked(table, fitted)
        said = likeliest_sentences((one.question, one.context) for one in asked)
        return [Baseline(LIKELIEST_SENTENCE, evaluate_answers(asked, said))]


class _Collate:
    """Samples as a batch."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad = pad_token_id

    def __call__(self, samples: pa.Table) -> Batch:
        targets = {name: padded(samples[name], -1) for name in ("starts", "ends")}
        targets |= {
            name: torch.tensor(samples[name].to_pylist()) for name in ("null", "first", "last")
        }
        return Batch(token_inputs(samples, self._pad), targets, samples.num_rows)


def _asked(rows: pa.Table, fitted: QuestionAnsweringFitted) -> list[Asked]:
    references = references_of(rows, fitted.context, fitted.answers)
    return [
        Asked(question, context, [text for text, _ in answers])
        for question, context, answers in zip(
            texts_in(rows, [fitted.question]),
            texts_in(rows, [fitted.context]),
            references,
            strict=True,
        )
    ]
