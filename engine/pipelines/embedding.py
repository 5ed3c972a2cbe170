"""Data of text embedding: pairs, triplets, or pairs with a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from engine.config.tasks.embedding import EmbeddingConfig
from engine.data.load import load_texts
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.data.splits import cut_groups, cut_splits
from engine.errors import DataError, TrainingError
from engine.files.sanitize import plain
from engine.models.language.sentence_folder import SentenceModel, sentence_model
from engine.pipelines.text import TextFitted, TextPipeline
from engine.reports.counted import counted
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note
from engine.text.numbers_of import numbers_of, with_numbers
from engine.text.pairs.columns import PairColumns, pair_columns
from engine.text.pairs.faults import pair_faults
from engine.text.pairs.listed_passages import listed_passages, without_lists
from engine.text.pairs.score_scale import ScoreScale, scale_of
from engine.text.pairs.shared_queries import shared_queries
from engine.text.rows import blank, some_of, texts_in, without_faults
from engine.text.written_lists import with_lists

_NONE = "-"
_PASSAGES = 300
"""Held-out passages that are kept with the model, to be searched when it is tried."""


class EmbeddingFitted(TextFitted):
    """Columns, the scale of scores, and how vectors are made."""

    columns: PairColumns
    scale: ScoreScale | None
    recipe: SentenceModel
    passages: list[str]
    """A few held-out passages, to be searched when the model is tried."""


class EmbeddingPipeline(TextPipeline[EmbeddingFitted]):
    """Texts that belong together."""

    section: EmbeddingConfig
    fitted_type = EmbeddingFitted

    def load(self) -> RawData:
        """Rows of different texts, and of scores on the scale, in three splits."""
        read = load_texts(self.config.data)
        raw = without_lists(read, self.section)
        several = raw.train.num_rows > read.train.num_rows
        columns = pair_columns(raw.train, self.section)
        numbered = columns.score or columns.judged
        raw = with_numbers(raw, numbered) if numbered else raw
        scale = self._scale(raw.train, columns)
        raw = without_faults(raw, lambda table: pair_faults(table, columns, scale))
        if several or columns.judged:  # the passages of a query stay in one split
            return cut_groups(raw, self.config.data, columns.anchor)
        return cut_splits(raw, self.config.data)

    def _scale(self, table: pa.Table, columns: PairColumns) -> ScoreScale | None:
        return scale_of(numbers_of(table, columns.score), self.section) if columns.score else None

    def fit(self, raw: RawData) -> EmbeddingFitted:
        """Find columns, scale and pooling; train a tokenizer where the network is new."""
        columns = pair_columns(raw.train, self.section)
        self._check_rows(raw.train, columns)
        recipe = self._recipe()
        prompts = [text for text in (recipe.query_prompt, recipe.passage_prompt) if text]
        texts = texts_in(raw.train, [columns.anchor, *columns.passages])
        trained = self.learn_tokenizer(chain(prompts, texts))
        if recipe.lowercase:
            self._check_letters(self.tokenizer(trained))
        return EmbeddingFitted(
            tokenizer=trained,
            max_length=self.limit(self.section.max_length, trained),
            columns=columns,
            scale=self._scale(raw.train, columns),
            recipe=recipe,
            passages=_passages(raw, columns.positive),
        )

    def _check_letters(self, tokenizer: Any) -> None:
        """Refuse a model that makes letters small where its tokenizer does not."""
        if tokenizer("A B")["input_ids"] != tokenizer("a b")["input_ids"]:
            raise TrainingError(
                f"model.path: {plain(self.model.path, 200)} makes letters small "
                "(do_lower_case) before its tokenizer, which is not known here.",
                "Choose another model.",
            )

    def _check_rows(self, table: pa.Table, columns: PairColumns) -> None:
        """Refuse batches in which an anchor has nothing to be told apart from."""
        if columns.form == "triplets" or (columns.score and self.section.loss == "cosine"):
            return
        train = self.config.train
        if table.num_rows < 2:
            raise DataError("There is one training row, and nothing to compare it with.")
        if train.batch_rows < 2 and not train.auto_batch_size:
            raise DataError(
                "train.batch_size: with 1 row in a batch there is nothing to compare it with.",
                "Choose at least 2; large batches are learned from best.",
            )

    def _recipe(self) -> SentenceModel:
        """Return how vectors are made: by the fields, else as the pre-trained model does."""
        section = self.section
        own = sentence_model(self.model, section.pooling != "auto")
        return SentenceModel(
            pooling=own.pooling if section.pooling == "auto" else section.pooling,
            normalize=own.normalize if section.normalize == "auto" else section.normalize == "yes",
            query_prompt=_prompt(section.query_prompt, own.query_prompt),
            passage_prompt=_prompt(section.passage_prompt, own.passage_prompt),
            lowercase=own.lowercase,
        )

    @override
    def settled(self, fitted: EmbeddingFitted) -> list[str]:
        """The loss function, where the data chose it: which metric decides depends on it."""
        return [f"task.loss={self.loss(fitted)}"] if self.section.loss == "auto" else []

    def loss(self, fitted: EmbeddingFitted) -> str:
        """Return the name of the loss function."""
        if self.section.loss != "auto":
            return self.section.loss
        return "cosent" if fitted.scale else "in_batch_negatives"

    def summarize(self, raw: RawData, fitted: EmbeddingFitted) -> DataSummary:
        """Columns, lengths, the scale, and how vectors are made."""
        columns, some = fitted.columns, some_of(raw.train)
        facts = {"rows are": _FORMS[columns.form], "loss": self.loss(fitted)}
        for name, column in (("anchors", columns.anchor), ("passages", columns.positive)):
            found = self.measured(list(texts_in(some, [column])), fitted)
            facts |= {f"{name}: {fact}": value for fact, value in found.items()}
        if fitted.scale:
            facts["scores"] = fitted.scale.words
        facts["pooling"] = fitted.recipe.pooling + ", normalized" * fitted.recipe.normalize
        for name, prompt in (
            ("before anchors", fitted.recipe.query_prompt),
            ("before passages", fitted.recipe.passage_prompt),
        ):
            if prompt:
                facts[name] = plain(prompt, 60)
        summary = self.text_summary(raw, fitted, columns.roles, facts)
        shared = () if columns.score else shared_queries(raw, columns.anchor)
        return replace(summary, notes=(*summary.notes, *_repeated(raw.train, columns), *shared))

    def inputs(self, fitted: EmbeddingFitted) -> tuple[str, ...]:
        """The texts to embed, under the name of the anchors."""
        return (fitted.columns.anchor,)

    @override
    def beside(self, fitted: EmbeddingFitted, names: Sequence[str]) -> tuple[str, ...]:
        """The column of passages, whose vectors are made with their own prompt."""
        return tuple(name for name in (fitted.columns.positive,) if name in names)

    @override
    def from_file(self, table: pa.Table, fitted: EmbeddingFitted, folder: Path) -> pa.Table:
        return with_lists(table, (fitted.columns.positive,))

    @override
    def unfit(self, table: pa.Table, fitted: EmbeddingFitted) -> Sequence[Note]:
        """Empty texts, whose vectors mean nothing, and those with special tokens."""
        anchor = fitted.columns.anchor
        notes = list(super().unfit(table, fitted))
        empty = sum(fault is not None for fault in blank(table, [anchor]))
        if empty:
            why = "empty texts have a vector that means nothing"
            notes.append(Note(why, plain(anchor, 60), rows=empty))
        positive = fitted.columns.positive
        if several := listed_passages(table, positive):
            why = "of lists of passages, the first of each has its vector beside that of the query"
            notes.append(Note(why, plain(positive, 60), "text", several, kind="dropped"))
        return notes

    @override
    def before_texts(self) -> Sequence[str]:
        recipe = self._recipe()
        return recipe.query_prompt, recipe.passage_prompt

    @override
    def texts_of_rows(self, fitted: EmbeddingFitted) -> tuple[str, ...]:
        return (fitted.columns.anchor, *fitted.columns.passages)


_FORMS = {
    "pairs": "pairs",
    "triplets": "pairs with hard negatives",
    "scores": "pairs with a score",
}


def _prompt(given: str, own: str) -> str:
    return "" if given == _NONE else given or own


def _passages(raw: RawData, column: str) -> list[str]:
    """Return a few different texts of the first split that is not trained on, if there is one."""
    for split in (TEST, VALIDATION, TRAIN):
        table = raw.splits.get(split)
        if table is not None and table.num_rows:
            return list(dict.fromkeys(texts_in(table.slice(0, 4 * _PASSAGES), [column])))[
                :_PASSAGES
            ]
    return []


def _repeated(table: pa.Table, columns: PairColumns) -> Sequence[Note]:
    """Return a note on positives that several rows have."""
    if columns.score:
        return ()
    repeated = table.num_rows - len(pc.unique(table[columns.positive]))
    if not repeated:
        return ()
    why = (
        f"{counted(repeated, 'row')} repeat the positive of another; in a batch, equal texts are "
        "not taken for negatives"
    )
    return (Note(why, plain(columns.positive, 60), "positive", repeated, kind="converted"),)
