"""Data of text classification: texts, or pairs of them, with one class or several labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pyarrow as pa
from typing_extensions import override

from engine.config.tasks.text_classification import TextClassificationConfig
from engine.data.column_roles import ColumnRoles
from engine.data.load import load_texts
from engine.data.raw import RawData, class_names
from engine.data.splits import cut_splits
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.text import TextFitted, TextPipeline
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note
from engine.text import columns
from engine.text.classes.document_folders import with_folder_classes
from engine.text.classes.flags import with_flags_joined
from engine.text.classes.labels import classes_of, joined_note, labels_of, too_many
from engine.text.classes.missing import without_label_codes
from engine.text.classes.names import with_named_classes
from engine.text.classes.spellings import with_known_labels, with_label_lists
from engine.text.columns import is_list
from engine.text.rejected_rows import without_rejected
from engine.text.rows import (
    blank,
    empty_texts,
    joined_texts,
    some_of,
    texts_in,
    without_faults,
)


class TextClassificationFitted(TextFitted):
    """Columns and classes of the training rows."""

    text: str
    text_pair: str
    label: str
    classes: list[str]
    counts: list[int]
    multi_label: bool


class TextClassificationPipeline(TextPipeline[TextClassificationFitted]):
    """Texts with a class, or several labels where the label is a list."""

    section: TextClassificationConfig
    fitted_type = TextClassificationFitted

    def load(self) -> RawData:
        """Rows with a text and a label, in three splits."""
        raw = self._with_labels(load_texts(self.config.data))
        text, pair, label = self._columns(raw.train)
        raw = with_label_lists(raw, label)
        raw = without_label_codes(raw, label, self.section.class_names)
        raw = without_faults(raw, lambda table: _faults(table, [text, pair], label))
        raw = cut_splits(raw, self.config.data, None if is_list(raw.train, label) else label)
        raw = with_known_labels(raw, label)
        return with_named_classes(raw, label, self.section.class_names)

    def fit(self, raw: RawData) -> TextClassificationFitted:
        """Find the classes; train a tokenizer where the network is new."""
        text, pair, label = self._columns(raw.train)
        names = class_names(raw.train, label)
        classes, counts = classes_of(labels_of(raw.train, label), names)
        several = is_list(raw.train, label)
        present = sum(count > 0 for count in counts)
        if len(classes) < 2 or (present < 2 and not several):
            raise DataError(f"The column {plain(label, 60)} has only one class.", "Set task.label.")
        if not several and too_many(present, raw.train.num_rows):
            raise DataError(
                f"The label {plain(label, 60)!r} has {present:,} different values in "
                f"{raw.train.num_rows:,} training rows.",
                "Choose another task.label, or give more rows of each class.",
            )
        trained = self.learn_tokenizer(texts_in(raw.train, list(filter(None, (text, pair)))))
        return TextClassificationFitted(
            tokenizer=trained,
            max_length=self.limit(self.section.max_length, trained),
            text=text,
            text_pair=pair,
            label=label,
            classes=classes,
            counts=counts,
            multi_label=several,
        )

    def summarize(self, raw: RawData, fitted: TextClassificationFitted) -> DataSummary:
        """Columns, class balance and lengths."""
        roles = {fitted.text: "text", fitted.text_pair: "second text", fitted.label: "label"}
        classes = dict(zip(fitted.classes, fitted.counts, strict=True))
        facts = self.measured(joined_texts(some_of(raw.train), [fitted.text]), fitted)
        if fitted.multi_label:
            facts["labels"] = f"{sum(fitted.counts) / raw.train.num_rows:.2f} a text on average"
        summary = self.text_summary(raw, fitted, roles, facts, classes)
        if fitted.multi_label:
            return summary
        notes = joined_note(classes, fitted.label, "several labels of a text are a list in JSON")
        return replace(summary, notes=(*summary.notes, *notes))

    @override
    def unfit(self, table: pa.Table, fitted: TextClassificationFitted) -> Iterable[Note]:
        return [*super().unfit(table, fitted), *empty_texts(table, self.inputs(fitted))]

    def inputs(self, fitted: TextClassificationFitted) -> tuple[str, ...]:
        """The text, or both."""
        return tuple(filter(None, (fitted.text, fitted.text_pair)))

    @override
    def column_roles(self, raw: RawData) -> ColumnRoles:
        text, pair, label = self._columns(raw.train)
        texts = tuple(filter(None, (text, pair)))
        if is_list(raw.train, label):
            return ColumnRoles((*texts, label), texts=texts)
        return ColumnRoles(texts, label, "classes", texts)

    def _with_labels(self, raw: RawData) -> RawData:
        """Return the data with a column of labels, where it has them in another form."""
        raw = without_rejected(raw)
        return raw if self.section.label else with_flags_joined(with_folder_classes(raw))

    def _columns(self, table: pa.Table) -> tuple[str, str, str]:
        """Text, second text (or nothing) and label."""
        section = self.section
        pair = None if section.text or section.text_pair else columns.find_pair(table)
        if pair and section.label not in pair:
            text, second = pair
        else:
            without = [name for name in (section.label, section.text_pair) if name]
            text, second = section.text or columns.find_text(table, without), section.text_pair
        text = columns.chosen(table, text, "task.text")
        if second:
            columns.chosen(table, second, "task.text_pair")
        label = section.label or columns.find_label(table, [text, second])
        return text, second, columns.with_classes(table, label, "task.label")


def _faults(table: pa.Table, texts: Sequence[str], label: str) -> list[str | None]:
    faults = blank(table, [name for name in texts if name])
    if label not in table.column_names:
        return ["there is no label"] * table.num_rows
    return [
        fault or (f"{label} is empty" if value is None else None)
        for fault, value in zip(faults, labels_of(table, label), strict=True)
    ]
