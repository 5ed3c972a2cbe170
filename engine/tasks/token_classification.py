"""Token classification: a tag for each word of a sentence, such as a person or a place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import pyarrow as pa
import torch
from torch import nn
from torch.nn import functional

from engine.batches.source import Batch, Source
from engine.config.tasks.token_classification import TokenClassificationConfig
from engine.data.load import load_data
from engine.data.raw import RawData, class_names
from engine.data.splits import cut_splits
from engine.errors import DataError
from engine.metrics.entities import entities_of, has_prefixes
from engine.metrics.evaluator import Evaluator
from engine.metrics.logits import logits_of
from engine.metrics.tagging import TaggingEvaluator, tags_of
from engine.reports.data_summary import DataSummary
from engine.runs.events import Report
from engine.tasks.text import TextFitted, TextTask
from engine.text.cache import encoded
from engine.text.columns import by_name, chosen, is_list
from engine.text.lengths import windows_not_cut
from engine.text.padding import padded
from engine.text.rows import SOME, without_faults
from engine.text.source import token_inputs
from engine.text.summary import summary_of
from engine.text.windows import SentenceWindows, WindowSource
from engine.text.words import NOT_COUNTED, marked, words_of

_TOKEN_NAMES = ("tokens", "words", "sentence", "text")
_TAG_NAMES = ("ner_tags", "tags", "labels", "ner", "label")


class TokenClassificationFitted(TextFitted):
    """Columns and tags of the training rows."""

    tokens: str
    tags: str
    names: list[str]


class TokenClassification(TextTask[TokenClassificationFitted]):
    """A tag for each word, given at the first token of it."""

    fitted_type = TokenClassificationFitted
    head = "token_classification"
    # Tokenizers that see the blank before a word must see it before the first one too.
    tokenizer_options: ClassVar[dict[str, Any]] = {"add_prefix_space": True}

    @property
    def section(self) -> TokenClassificationConfig:
        """The task's own fields."""
        section = self.config.task
        assert isinstance(section, TokenClassificationConfig)
        return section

    def load(self) -> RawData:
        """Sentences with as many tags as words, in three splits."""
        raw = load_data(self.config.data)
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

    def encode(
        self,
        table: pa.Table,
        fitted: TokenClassificationFitted,
        device: torch.device,
        report: Report,
    ) -> Source:
        """Tokens, the words that begin at each, and the number of their tags."""
        words, labels = sentences_of(table, fitted.tokens, fitted.tags)
        numbers = {name: code for code, name in enumerate(fitted.names)}
        # A tag that no training row has cannot be learned; it counts in the metrics all the same.
        codes = [[numbers.get(tag, NOT_COUNTED) for tag in sentence] for sentence in labels]
        columns = pa.table({
            "words": pa.array(words, pa.list_(pa.string())),
            "codes": pa.array(codes, pa.list_(pa.int64())),
            "row": pa.array(range(table.num_rows), pa.int64()),
        })  # fmt: skip
        tokenizer = self.tokenizer(fitted.tokenizer)
        windows = SentenceWindows(tokenizer, fitted.max_length)
        samples = encoded(columns, windows, self.cache_key(fitted), report)
        return WindowSource(samples, _Collate(tokenizer.pad_token_id), device, table)

    def labels(self, fitted: TokenClassificationFitted) -> Sequence[str]:
        """The tags."""
        return fitted.names

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy over the first tokens of all words."""
        logits = logits_of(network, batch.inputs).flatten(0, 1)
        targets = batch.targets["tags"].flatten()
        total = functional.cross_entropy(logits, targets, ignore_index=NOT_COUNTED, reduction="sum")
        return total / max(1.0, batch.weight)

    def evaluator(self, fitted: TokenClassificationFitted) -> Evaluator:
        """Entities, as seqeval counts them."""
        return TaggingEvaluator(
            fitted.names, lambda rows: sentences_of(rows, fitted.tokens, fitted.tags)
        )

    def inputs(self, fitted: TokenClassificationFitted) -> tuple[str, ...]:
        """The words: a list, or a text that is split at blanks."""
        return (fitted.tokens,)

    def predict(
        self, network: nn.Module, batch: Batch, fitted: TokenClassificationFitted
    ) -> list[dict[str, Any]]:
        """Words, their tags, and the entities with the words where they begin and end."""
        words, _ = sentences_of(batch.rows, fitted.tokens, fitted.tags)
        codes = logits_of(network, batch.inputs).argmax(2)
        tagged = tags_of(codes, batch.targets, fitted.names, [len(w) for w in words])
        prefixes = has_prefixes(fitted.names)
        return [
            {
                "tokens": sentence,
                "tags": tags,
                "entities": [
                    {
                        "type": kind,
                        "text": " ".join(sentence[start:end]),
                        "start": start,
                        "end": end,
                    }
                    for kind, start, end in entities_of(tags, prefixes)
                ],
            }
            for sentence, tags in zip(words, tagged, strict=True)
        ]

    def shown(
        self, rows: pa.Table, records: list[dict[str, Any]], fitted: TokenClassificationFitted
    ) -> list[dict[str, str]]:
        """Return sentences with the predicted entities in brackets, and with the true ones."""
        words, labels = sentences_of(rows, fitted.tokens, fitted.tags)
        prefixes = has_prefixes(fitted.names)
        return [
            {
                "predicted": marked(sentence, entities_of(record["tags"], prefixes)),
                "label": marked(sentence, entities_of(tags, prefixes)),
            }
            for sentence, record, tags in zip(words, records, labels, strict=True)
        ]

    def _columns(self, table: pa.Table) -> tuple[str, str]:
        """Words and tags: as chosen, by name, else the first and the last list of texts."""
        lists = [name for name in table.column_names if is_list(table, name)]
        section = self.section
        others = table.select([name for name in lists if name != section.tokens])
        tokens = section.tokens or by_name(table, _TOKEN_NAMES) or next(iter(lists), "")
        tags = section.tags or by_name(others, _TAG_NAMES) or next(reversed(lists), "")
        if not tokens or not tags or tokens == tags:
            raise DataError(
                "Which columns hold the words and their tags cannot be told.",
                "Set task.tokens and task.tags.",
            )
        return chosen(table, tokens, "task.tokens"), chosen(table, tags, "task.tags")


class _Collate:
    """Samples as a batch."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad = pad_token_id

    def __call__(self, samples: pa.Table) -> Batch:
        tags = padded(samples["tags"], NOT_COUNTED)
        return Batch(
            token_inputs(samples, self._pad),
            {"tags": tags, "words": padded(samples["words"], -1)},
            float((tags != NOT_COUNTED).sum()),
        )


def sentences_of(
    table: pa.Table, tokens: str, tags: str
) -> tuple[list[list[str]], list[list[str]]]:
    """Words and tags of each row; rows without tags have ``O`` for every word."""
    typed = tags not in table.column_names
    words = [words_of(value, typed) for value in table[tokens].to_pylist()]
    if typed:
        return words, [["O"] * len(sentence) for sentence in words]
    names = class_names(table, tags)
    labels = [words_of(value) for value in table[tags].to_pylist()]
    if names is not None:
        labels = [[names[int(code)] for code in sentence] for sentence in labels]
    return words, labels


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
