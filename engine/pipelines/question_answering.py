"""Data of extractive question answering: questions, texts, and where the answers stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
from typing_extensions import override

from engine.config.tasks.question_answering import LARGEST_OVERLAP, QuestionAnsweringConfig
from engine.data.load import load_texts
from engine.data.raw import RawData
from engine.data.splits import cut_groups
from engine.errors import TrainingError
from engine.files.sanitize import plain
from engine.pipelines.text import TextFitted, TextPipeline
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note
from engine.text.answers.answers import answers_of, references_of
from engine.text.answers.columns import answer_columns, joined_answers
from engine.text.answers.notes import placement_notes
from engine.text.answers.position_units import in_characters
from engine.text.columns import by_name, chosen
from engine.text.rows import SOME, blank, empty_texts, without_faults
from engine.text.tokens.lengths import windows_not_cut
from engine.text.tokens.placed_tokens import placed

_TEXT = """Ann's "café" cost 12.50 — wasn't it in Rome?"""
"""Characters that some tokenizers replace."""


class QuestionAnsweringFitted(TextFitted):
    """Columns of the training rows, and whether questions can be without an answer."""

    question: str
    context: str
    answers: str
    stride: int
    may_lack: bool


class QuestionAnsweringPipeline(TextPipeline[QuestionAnsweringFitted]):
    """Questions, each with its context and answers."""

    section: QuestionAnsweringConfig
    fitted_type = QuestionAnsweringFitted

    def load(self) -> RawData:
        """Questions whose answer is in their context; a context stays in one split."""
        raw = load_texts(self.config.data)
        _, context, answers = columns = self._columns(raw.train)
        start = self.section.answer_start
        if start:
            chosen(raw.train, start, "task.answer_start")
        raw = in_characters(joined_answers(raw, answers, start), context, answers)
        raw = without_faults(raw, lambda table: _faults(table, *columns))
        raw = raw.with_splits(raw.splits, *placement_notes(raw, context, answers))
        return cut_groups(raw, self.config.data, context)

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
            stride=min(self.section.doc_stride, max_length // LARGEST_OVERLAP),
            may_lack=not all(references),
        )

    @override
    def prepare_tokenizer(self, tokenizer: Any) -> None:
        """Raise :class:`TrainingError` for a tokenizer that does not keep texts."""
        if placed(tokenizer, _TEXT) is None:
            raise TrainingError(
                f"model.path: the tokenizer of {plain(self.model.path, 200)} changes texts, so "
                "that the place of an answer in them cannot be told.",
                "Choose another model.",
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
        roles |= answer_columns(raw.train, fitted.answers, self.section.answer_start).roles
        return self.text_summary(raw, fitted, roles, facts)

    @override
    def unfit(self, table: pa.Table, fitted: QuestionAnsweringFitted) -> Iterable[Note]:
        return [*super().unfit(table, fitted), *empty_texts(table, self.inputs(fitted))]

    def inputs(self, fitted: QuestionAnsweringFitted) -> tuple[str, ...]:
        """Question and context."""
        return (fitted.question, fitted.context)

    def _columns(self, table: pa.Table) -> tuple[str, str, str]:
        """Question, context and answers: as chosen, else by their usual names."""
        section = self.section
        return (
            chosen(table, section.question or "question", "task.question"),
            chosen(table, section.context or "context", "task.context"),
            chosen(table, section.answers or _answers(table), "task.answers"),
        )


def _answers(table: pa.Table) -> str:
    return by_name(table, ("answers", "answer", "answer_text")) or "answers"


def _faults(table: pa.Table, question: str, context: str, answers: str) -> Sequence[str | None]:
    if answers not in table.column_names:
        return ["there are no answers"] * table.num_rows
    faults = blank(table, [question, context])
    cells = zip(faults, table[answers].to_pylist(), table[context].to_pylist(), strict=True)
    return [
        fault or (None if answers_of(value, text) is not None else "its answer is not in its text")
        for fault, value, text in cells
    ]
