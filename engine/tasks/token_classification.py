"""Token classification: a tag for each word of a sentence, such as a person or a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.baselines.usual_tags import USUAL_TAGS, usual_tags
from engine.batches.source import Batch, Source
from engine.config.tasks.token_classification import TokenClassificationConfig
from engine.data.raw import RawData
from engine.metrics.evaluator import Evaluator
from engine.metrics.logits import logits_of
from engine.metrics.text.tagging import TaggingEvaluator, evaluate_tags, tags_of
from engine.pipelines.token_classification import (
    TokenClassificationFitted,
    TokenClassificationPipeline,
)
from engine.runs.events import Report
from engine.tasks.text import TextTask
from engine.text.tokens.cache import encoded
from engine.text.tokens.padding import padded
from engine.text.tokens.source import token_inputs
from engine.text.tokens.windows import SentenceWindows, WindowSource
from engine.text.tokens.words import NOT_COUNTED, marked


class TokenClassification(TextTask[TokenClassificationFitted]):
    """A tag for each word, given at the first token of it."""

    pipeline: TokenClassificationPipeline
    section: TokenClassificationConfig

    head = "token_classification"

    def encode(
        self,
        table: pa.Table,
        fitted: TokenClassificationFitted,
        device: torch.device,
        report: Report,
    ) -> Source:
        """Tokens, the words that begin at each, and the number of their tags."""
        words, labels = self.pipeline.sentences(table, fitted)
        numbers = {name: code for code, name in enumerate(fitted.names)}
        # A tag that no training row has cannot be learned; it counts in the metrics all the same.
        codes = [[numbers.get(tag, NOT_COUNTED) for tag in sentence] for sentence in labels]
        columns = pa.table({
            "words": pa.array(words, pa.list_(pa.string())),
            "codes": pa.array(codes, pa.list_(pa.int64())),
            "row": pa.array(range(table.num_rows), pa.int64()),
        })  # fmt: skip
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
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
        return TaggingEvaluator(fitted.names, lambda rows: self.pipeline.sentences(rows, fitted))

    def predict(
        self, network: nn.Module, batch: Batch, fitted: TokenClassificationFitted
    ) -> list[dict[str, Any]]:
        """Words, their tags, and the entities with the words where they begin and end."""
        words, _ = self.pipeline.sentences(batch.rows, fitted)
        codes = logits_of(network, batch.inputs).argmax(2)
        scheme, lengths = fitted.scheme, [len(sentence) for sentence in words]
        tagged = tags_of(codes, batch.targets, fitted.names, lengths, scheme.outside)
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
                    for kind, start, end in scheme.entities(tags)
                ],
            }
            for sentence, tags in zip(words, tagged, strict=True)
        ]

    def shown(
        self, rows: pa.Table, records: list[dict[str, Any]], fitted: TokenClassificationFitted
    ) -> list[dict[str, str]]:
        """Return sentences with the predicted entities in brackets, and with the true ones."""
        words, labels = self.pipeline.sentences(rows, fitted)
        scheme = fitted.scheme
        return [
            {
                "predicted": marked(sentence, scheme.entities(record["tags"])),
                "label": marked(sentence, scheme.entities(tags)),
            }
            for sentence, record, tags in zip(words, records, labels, strict=True)
        ]

    @override
    def baselines(self, raw: RawData, fitted: TokenClassificationFitted) -> list[Baseline]:
        """The tag that each word has the most often in training."""
        table = raw.decisive
        if table is None:
            return []
        words, truth = self.pipeline.sentences(table, fitted)
        known = self.pipeline.sentences(raw.train, fitted)
        said = usual_tags(known, words, fitted.scheme.outside)
        return [Baseline(USUAL_TAGS, evaluate_tags(words, truth, said, fitted.scheme))]


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
