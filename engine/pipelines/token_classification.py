"""Data of token classification: words, each with a tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import pyarrow as pa

from engine.config.tasks.token_classification import TokenClassificationConfig
from engine.data.load import load_texts
from engine.data.raw import RawData, class_names
from engine.data.splits import cut_splits
from engine.errors import DataError
from engine.metrics.entities import entities_of, has_prefixes
from engine.pipelines.text import TextFitted, TextPipeline
from engine.reports.data_summary import DataSummary
from engine.text.columns import by_name, chosen, is_list
from engine.text.lengths import windows_not_cut
from engine.text.rows import SOME, without_faults
from engine.text.summary import summary_of
from engine.text.words import sentences_of, words_of

_TOKEN_NAMES = ("tokens", "words", "sentence", "text")
_TAG_NAMES = ("ner_tags", "tags", "labels", "ner", "label")


class TokenClassificationFitted(TextFitted):
    """Columns and tags of the training rows."""

    tokens: str
    tags: str
    names: list[str]


class TokenClassificationPipeline(TextPipeline[TokenClassificationFitted]):
    """Sentences with as many tags as words."""

    section: TokenClassificationConfig
    fitted_type = TokenClassificationFitted

    # Tokenizers that see the blank before a word must see it before the first one too.
    tokenizer_options: ClassVar[dict[str, Any]] = {"add_prefix_space": True}

    def load(self) -> RawData:
        """Sentences with as many tags as words, in three splits."""
        raw = load_texts(self.config.data)
        tokens, tags = self._columns(raw.train)
        raw = without_faults(raw, lambda table: _faults(table, tokens, tags))
        return cut_splits(raw, self.config.data)

    def fit(self, raw: RawData) -> TokenClassificationFitted:
        """Find the tags; train a tokenizer where the network is new."""
        tokens, tags = self._columns(raw.train)
        words, labels = sentences_of(raw.train, tokens, tags)
        present = {tag for sentence in labels for tag in sentence}
        names = class_names(raw.train, tags) or sorted(present, key=lambda tag: (tag != "O", tag))
        if len(present) < 2:
            raise DataError(f"The column {tags} has only one tag.", "Set task.tags.")
        trained = self.learn_tokenizer([" ".join(sentence) for sentence in words])
        return TokenClassificationFitted(
            tokenizer=trained,
            max_length=self.limit(self.section.max_length, trained),
            tokens=tokens,
            tags=tags,
            names=list(names),
        )

    def summarize(self, raw: RawData, fitted: TokenClassificationFitted) -> DataSummary:
        """Columns, entities of each type and lengths."""
        words, labels = sentences_of(raw.train, fitted.tokens, fitted.tags)
        prefixes = has_prefixes(fitted.names)
        found = [entity for tags in labels for entity in entities_of(tags, prefixes)]
        some = words[:: len(words) // SOME + 1]
        facts = windows_not_cut(self.measured([" ".join(sentence) for sentence in some], fitted))
        facts["words"] = f"{sum(map(len, words)):,}, of which {_inside(labels):.1%} are tagged"
        roles = {fitted.tokens: "words", fitted.tags: "tags"}
        classes = dict(Counter(kind for kind, _, _ in found))
        return summary_of(self.config, raw, roles, facts, classes)

    def inputs(self, fitted: TokenClassificationFitted) -> tuple[str, ...]:
        """The words: a list, or a text that is split at blanks."""
        return (fitted.tokens,)

    def _columns(self, table: pa.Table) -> tuple[str, str]:
        """Words and tags: as chosen, by name, else the first and the last list of texts."""
        lists = [name for name in table.column_names if is_list(table, name)]
        section = self.section
        others = table.select([name for name in lists if name != section.tokens])
        tokens = section.tokens or by_name(table, _TOKEN_NAMES) or next(iter(lists), "")
        tags = section.tags or by_name(others, _TAG_NAMES) or next(reversed(lists), "")
        if not tokens or not tags or tokens == tags:
            raise DataError(
                "The columns with the words and with their tags cannot be detected.",
                "Set task.tokens and task.tags.",
            )
        return chosen(table, tokens, "task.tokens"), chosen(table, tags, "task.tags")


def _faults(table: pa.Table, tokens: str, tags: str) -> list[str | None]:
    def fault(words: Any, labels: Any) -> str | None:
        counted = len(words_of(words))
        if not counted or labels is None:
            return "there are no words or no tags"
        return None if counted == len(words_of(labels)) else "it has not as many tags as words"

    if tags not in table.column_names:
        return ["there are no tags"] * table.num_rows
    return [
        fault(*pair)
        for pair in zip(table[tokens].to_pylist(), table[tags].to_pylist(), strict=True)
    ]


def _inside(labels: Sequence[Sequence[str]]) -> float:
    count = sum(map(len, labels))
    return sum(tag != "O" for tags in labels for tag in tags) / max(1, count)
