"""Data of text regression: texts, or pairs of them, with a number."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from typing_extensions import override

from engine.config.tasks.text_regression import TextRegressionConfig
from engine.data.column_roles import ColumnRoles
from engine.data.load import load_texts
from engine.data.raw import RawData
from engine.data.splits import cut_splits
from engine.files.sanitize import plain
from engine.pipelines.target_scale import check_steps, target_scale
from engine.pipelines.text import TextFitted, TextPipeline
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note
from engine.text import columns
from engine.text.numbers_of import find_numbers, numbers_of, with_numbers
from engine.text.pairs.judgments import RELEVANCE, SIMILARITIES
from engine.text.pairs.shared_queries import shared_queries
from engine.text.rows import (
    blank,
    empty_texts,
    joined_texts,
    some_of,
    texts_in,
    without_faults,
)

_TARGETS = (
    "score", "target", "label", "labels", "rating", "stars", "similarity", "relevance", "value",
    "y", *SIMILARITIES, *RELEVANCE,
)  # fmt: skip


class TextRegressionFitted(TextFitted):
    """Columns, and mean and deviation of the target over the training rows."""

    text: str
    text_pair: str
    target: str
    mean: float
    std: float
    names: list[str]
    """The name of the network's only output."""


class TextRegressionPipeline(TextPipeline[TextRegressionFitted]):
    """Texts with a number."""

    section: TextRegressionConfig
    fitted_type = TextRegressionFitted

    def load(self) -> RawData:
        """Rows with all texts and a number, in three splits."""
        raw = load_texts(self.config.data)
        text, pair, target = self._columns(raw.train)
        texts = [name for name in (text, pair) if name]
        raw = with_numbers(raw, target)
        raw = without_faults(raw, lambda table: self._faults(table, texts, target))
        return cut_splits(raw, self.config.data)

    def fit(self, raw: RawData) -> TextRegressionFitted:
        """Find mean and deviation; train a tokenizer where the network is new."""
        text, pair, target = self._columns(raw.train)
        values = np.array(numbers_of(raw.train, target), np.float64)
        mean, std = target_scale(target, values)
        if self.section.loss != "bce":
            check_steps(target, values, std)
        trained = self.learn_tokenizer(texts_in(raw.train, [n for n in (text, pair) if n]))
        return TextRegressionFitted(
            tokenizer=trained,
            max_length=self.limit(self.section.max_length, trained),
            text=text,
            text_pair=pair,
            target=target,
            mean=mean,
            std=std,
            names=[target],
        )

    def summarize(self, raw: RawData, fitted: TextRegressionFitted) -> DataSummary:
        """Columns, lengths, and the range of the target."""
        roles = {fitted.text: "text", fitted.text_pair: "second text", fitted.target: "target"}
        texts = joined_texts(some_of(raw.train), [fitted.text, fitted.text_pair])
        values = [value for value in numbers_of(raw.train, fitted.target) if value is not None]
        facts = self.measured(texts, fitted) | {
            "target": f"{min(values):g} to {max(values):g}, mean {fitted.mean:.4g}"
        }
        summary = self.text_summary(raw, fitted, roles, facts)
        return (
            summary.with_notes(*shared_queries(raw, fitted.text)) if fitted.text_pair else summary
        )

    @override
    def unfit(self, table: pa.Table, fitted: TextRegressionFitted) -> Iterable[Note]:
        return [*super().unfit(table, fitted), *empty_texts(table, self.inputs(fitted))]

    def inputs(self, fitted: TextRegressionFitted) -> tuple[str, ...]:
        """The text, or both."""
        return tuple(filter(None, (fitted.text, fitted.text_pair)))

    @override
    def column_roles(self, raw: RawData) -> ColumnRoles:
        text, pair, target = self._columns(raw.train)
        texts = tuple(filter(None, (text, pair)))
        return ColumnRoles(texts, target, "numbers", texts)

    def _columns(self, table: pa.Table) -> tuple[str, str, str]:
        """Text, second text (or nothing) and target; raises :class:`DataError`."""
        section = self.section
        target = section.target or find_numbers(table, _TARGETS, [section.text, section.text_pair])
        columns.chosen(table, target, "task.target")
        rest = table.drop_columns([target])
        pair = None if section.text or section.text_pair else columns.find_pair(rest)
        if pair is None:
            text = section.text or columns.find_text(rest, [section.text_pair])
            pair = (text, section.text_pair)
        columns.chosen(table, pair[0], "task.text")
        if pair[1]:
            columns.chosen(table, pair[1], "task.text_pair")
        return (*pair, target)

    def _faults(self, table: pa.Table, texts: list[str], target: str) -> list[str | None]:
        missing = [name for name in (*texts, target) if name not in table.column_names]
        if missing:
            return [f"there is no {plain(missing[0], 60)}"] * table.num_rows
        name = plain(target, 60)
        return [
            fault or self._fault(value, name)
            for fault, value in zip(blank(table, texts), numbers_of(table, target), strict=True)
        ]

    def _fault(self, value: float | None, name: str) -> str | None:
        if value is None:
            return f"{name} is not a number"
        if self.section.loss == "bce" and not 0 <= value <= 1:
            return f"{name} is outside 0 to 1, which the loss bce needs"
        return None
