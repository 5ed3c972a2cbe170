"""Extractive question answering: the span of a text that answers a question, if any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import nn

from engine.batches.source import Batch, Source
from engine.config.tasks.question_answering import _LARGEST_OVERLAP, QuestionAnsweringConfig
from engine.data.load import load_data
from engine.data.raw import RawData
from engine.data.splits import cut_groups
from engine.metrics.answers import AnswerEvaluator, Answers, Asked, position_loss
from engine.metrics.evaluator import Evaluator
from engine.reports.data_summary import DataSummary
from engine.runs.events import Report
from engine.tasks.text import TextFitted, TextTask
from engine.text.answers import answers_of, references_of
from engine.text.cache import encoded
from engine.text.columns import by_name, chosen
from engine.text.lengths import windows_not_cut
from engine.text.padding import padded
from engine.text.rows import SOME, blank, without_faults
from engine.text.source import token_inputs
from engine.text.summary import summary_of
from engine.text.windows import ContextWindows, WindowSource


class QuestionAnsweringFitted(TextFitted):
    """Columns of the training rows, and whether questions can be without an answer."""

    question: str
    context: str
    answers: str
    stride: int
    may_lack: bool


class QuestionAnswering(TextTask[QuestionAnsweringFitted]):
    """The first and the last token of the answer in windows of the context."""

    fitted_type = QuestionAnsweringFitted
    head = "question_answering"

    @property
    def section(self) -> QuestionAnsweringConfig:
        """The task's own fields."""
        section = self.config.task
        assert isinstance(section, QuestionAnsweringConfig)
        return section

    def load(self) -> RawData:
        """Questions whose answer is in their context; a context stays in one split."""
        raw = load_data(self.config.data)
        columns = self._columns(raw.train)
        raw = without_faults(raw, lambda table: _faults(table, *columns))
        return cut_groups(raw, self.config.data, columns[1])

    def fit(self, raw: RawData) -> QuestionAnsweringFitted:
        """See whether answers can lack; train a tokenizer where the network is new."""
        question, context, answers = self._columns(raw.train)
        references = references_of(raw.train, context, answers)
        contexts = raw.train[context].unique().to_pylist()
        trained = self.learn_tokenizer([*contexts, *raw.train[question].to_pylist()])
        max_length = self.limit(self.section.max_length, trained)
        return QuestionAnsweringFitted(
            tokenizer=trained,
            max_length=max_length,
            question=question,
            context=context,
            answers=answers,
            stride=min(self.section.doc_stride, max_length // _LARGEST_OVERLAP),
            may_lack=not all(references),
        )

    def summarize(self, raw: RawData, fitted: QuestionAnsweringFitted) -> DataSummary:
        """Columns, lengths of contexts and of answers."""
        contexts = raw.train[fitted.context].unique().to_pylist()
        references = references_of(raw.train, fitted.context, fitted.answers)
        some = contexts[:: len(contexts) // SOME + 1]
        facts = {"contexts": f"{len(contexts):,}"}
        facts |= windows_not_cut(self.measured(some, fitted))
        lacking = sum(not answers for answers in references)
        facts["without an answer"] = f"{lacking:,} of {len(references):,} questions"
        roles = {fitted.question: "question", fitted.context: "text", fitted.answers: "answer"}
        return summary_of(self.config, raw, roles, facts)

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
            "question": table[fitted.question],
            "context": table[fitted.context],
            "row": pa.array(range(table.num_rows), pa.int64()),
            "begin": pa.array([begin for begin, _ in spans], pa.int64()),
            "end": pa.array([end for _, end in spans], pa.int64()),
        })  # fmt: skip
        tokenizer = self.tokenizer(fitted.tokenizer)
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

    def inputs(self, fitted: QuestionAnsweringFitted) -> tuple[str, ...]:
        """Question and context."""
        return (fitted.question, fitted.context)

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

    def _columns(self, table: pa.Table) -> tuple[str, str, str]:
        """Question, context and answers: as chosen, else by their usual names."""
        section = self.section
        return (
            chosen(table, section.question or "question", "task.question"),
            chosen(table, section.context or "context", "task.context"),
            chosen(table, section.answers or _answers(table), "task.answers"),
        )


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


def _answers(table: pa.Table) -> str:
    return by_name(table, ("answers", "answer")) or "answers"


def _asked(rows: pa.Table, fitted: QuestionAnsweringFitted) -> list[Asked]:
    references = references_of(rows, fitted.context, fitted.answers)
    return [
        Asked(question, context, [text for text, _ in answers])
        for question, context, answers in zip(
            rows[fitted.question].to_pylist(),
            rows[fitted.context].to_pylist(),
            references,
            strict=True,
        )
    ]


def _faults(table: pa.Table, question: str, context: str, answers: str) -> Sequence[str | None]:
    if answers not in table.column_names:
        return ["there are no answers"] * table.num_rows
    faults = blank(table, [question, context])
    cells = zip(faults, table[answers].to_pylist(), table[context].to_pylist(), strict=True)
    return [
        fault or (None if answers_of(value, text) is not None else "its answer is not in its text")
        for fault, value, text in cells
    ]
