"""Text embedding: vectors of texts, near each other where the texts belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.baselines.bm25 import NAME, Bm25
from engine.batches.source import Batch, Source
from engine.config.run_config import RunConfig
from engine.config.tasks.embedding import EmbeddingConfig
from engine.data.raw import RawData
from engine.errors import TrainingError
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.retrieval.ranking import ranks_of, relevance_of
from engine.metrics.retrieval.similarity import SimilarityEvaluator
from engine.metrics.retrieval.vectors import RetrievalEvaluator, TextsOfRows
from engine.metrics.text.contrastive import (
    InBatchNegatives,
    Loss,
    TextKeys,
    cosent_loss,
    cosine_loss,
    matryoshka,
)
from engine.models.language.cached_gradients import cached_loss
from engine.models.language.pooling import embedded
from engine.models.language.sentence_folder import write_sentence_model
from engine.pipelines.embedding import EmbeddingFitted, EmbeddingPipeline
from engine.runs.events import Report
from engine.tasks.nearest import NearestPassages, sample_records
from engine.tasks.network_files import NetworkFiles
from engine.tasks.presentation import Presentation, Records
from engine.tasks.shown_samples import ShownSamples
from engine.tasks.text import TextTask
from engine.text.columns import chosen
from engine.text.numbers_of import numbers_of
from engine.text.pairs.listed_passages import first_passages
from engine.text.pairs.source import (
    ANCHOR,
    PASSAGE,
    SCORE,
    CollatePairs,
    NegativesSource,
    TokenisePairs,
    padded_texts,
)
from engine.text.rows import texts_in
from engine.text.tokens.cache import encoded
from engine.text.tokens.source import TokenSource

_COMPARED = 64
"""Rows whose passages are searched for the samples of the monitor."""


class Embedding(TextTask[EmbeddingFitted]):
    """Vectors of texts, from the network's vectors of their tokens."""

    pipeline: EmbeddingPipeline
    section: EmbeddingConfig

    head = "embedding"
    compares_rows = True

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._nearest: NearestPassages | None = None

    def encode(
        self, table: pa.Table, fitted: EmbeddingFitted, device: torch.device, report: Report
    ) -> Source:
        """Tokens of all texts of a row; of the anchor alone where the others are missing."""
        roles = fitted.columns
        table = first_passages(table, roles.positive)
        columns = {ANCHOR: _texts(table, chosen(table, roles.anchor, "task.anchor"))}
        if roles.positive in table.column_names:
            columns |= {
                f"{PASSAGE}{number}": _texts(table, name)
                for number, name in enumerate(roles.passages)
                if name in table.column_names
            }
            if fitted.scale and roles.score in table.column_names:
                columns[SCORE] = _cosines(table, fitted)
        tokenizer, recipe = self.pipeline.tokenizer(fitted.tokenizer), fitted.recipe
        tokenise = TokenisePairs(
            tokenizer, recipe.query_prompt, recipe.passage_prompt, fitted.max_length
        )
        key = [*self.cache_key(fitted), recipe.query_prompt, recipe.passage_prompt]
        samples = encoded(pa.table(columns), tokenise, key, report)
        kind = TokenSource if fitted.scale else NegativesSource
        return kind(samples, CollatePairs(tokenizer.pad_token_id), device, table)

    def build_network(self, fitted: EmbeddingFitted) -> nn.Module:
        """The network without a head; keeps how it makes vectors."""
        self._recipe = fitted.recipe
        network: Any = super().build_network(fitted)
        self._size = size = _width(network.config)
        largest = max(self.section.dimensions, default=0)
        if largest > size:
            raise TrainingError(
                f"task.dimensions: the vectors of this model have {size:,} numbers, fewer than "
                f"{largest:,}.",
                "Choose smaller sizes.",
            )
        if getattr(network.config, "use_cache", False):
            network.config.use_cache = False  # a text is read once
        built: nn.Module = network
        return built

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """The loss of all vectors of the batch, which are computed a few at a time if set so."""
        columns = [batch.inputs, *batch.targets["passages"].values()]
        embed = partial(self._embed, network)
        loss_of = partial(self._loss_of, batch=batch)
        rows = self.section.mini_batch_size
        if 0 < rows < len(batch.inputs["input_ids"]):
            return cached_loss(embed, columns, loss_of, rows)
        return loss_of([embed(inputs) for inputs in columns])

    def _embed(self, network: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
        return embedded(network, inputs, self._recipe.pooling, self._recipe.normalize)

    def _loss_of(self, columns: Sequence[Tensor], batch: Batch) -> Tensor:
        """The loss of vectors, over all sizes to which they can be cut."""
        section = self.section
        loss = _loss_with(section, batch.targets)
        return matryoshka(loss, section.dimensions, section.dimension_weights)(columns)

    def evaluator(self, fitted: EmbeddingFitted) -> Evaluator:
        """Ranks of held-out passages, or the correlation with the scores."""
        roles = fitted.columns

        def texts(rows: pa.Table) -> TextsOfRows:
            negatives = list(texts_in(rows, roles.negatives))
            return TextsOfRows(*_pairs(rows, fitted), negatives)

        if fitted.scale:
            return SimilarityEvaluator(
                self._vectors,
                self._loss_of,
                lambda rows: list(zip(*_pairs(rows, fitted), strict=True)),
            )
        return RetrievalEvaluator(self._vectors, self._loss_of, texts, self.section.dimensions)

    def _vectors(self, network: nn.Module, batch: Batch) -> list[Tensor]:
        columns = [batch.inputs, *batch.targets["passages"].values()]
        return [self._embed(network, inputs) for inputs in columns]

    def predict(
        self, network: nn.Module, batch: Batch, fitted: EmbeddingFitted
    ) -> list[dict[str, Any]]:
        """The vector of each text, and of the passage beside it if there is one."""
        del fitted
        records = [{"embedding": row} for row in self._embed(network, batch.inputs).tolist()]
        if batch.targets is None:
            return records
        passages = self._embed(network, batch.targets["passages"][f"{PASSAGE}0"]).tolist()
        return [
            record | {"passage_embedding": passage}
            for record, passage in zip(records, passages, strict=True)
        ]

    @override
    def presentation(self, network: nn.Module, fitted: EmbeddingFitted) -> Presentation:
        """Each text's vector behind the held-out passages that are the nearest to it."""

        def beside(records: Records) -> Records:
            if self._nearest is None:
                self._nearest = NearestPassages(self._embedded_passages(network, fitted), fitted)
            return self._nearest.beside(records)

        return Presentation(beside)

    def _embedded_passages(self, network: nn.Module, fitted: EmbeddingFitted) -> Tensor:
        tokenizer, device = self.pipeline.tokenizer(fitted.tokenizer), _device_of(network)
        parts = []
        for begin in range(0, len(fitted.passages), _COMPARED):
            some = fitted.passages[begin : begin + _COMPARED]
            texts = [fitted.recipe.passage_prompt + text for text in some]
            inputs = padded_texts(tokenizer, texts, fitted.max_length)
            parts.append(self._embed(network, {k: v.to(device) for k, v in inputs.items()}))
        return torch.cat(parts) if parts else torch.zeros(0, 1)

    @override
    def samples(self, network: nn.Module, source: Source, fitted: EmbeddingFitted) -> ShownSamples:
        """A few anchors, and the passage of the same batch that is the nearest to each."""
        batch = next(source.read(source.evaluation_plan(_COMPARED)[:1]), None)
        if batch is None or batch.rows is None:
            return ShownSamples()
        anchors, passages, *_ = self._vectors(network, batch)
        pairs = list(zip(*_pairs(batch.rows, fitted), strict=True))
        truth = batch.targets.get("scores")
        return ShownSamples(sample_records(anchors, passages, pairs, truth))

    @override
    def baselines(self, raw: RawData, fitted: EmbeddingFitted) -> list[Baseline]:
        """BM25 on the held-out passages; none for scores."""
        table = raw.decisive
        if fitted.scale or table is None:
            return []
        relevance = relevance_of(
            *_pairs(table, fitted), list(texts_in(table, fitted.columns.negatives))
        )
        ranking = Bm25(relevance.passages)
        ranks = ranks_of(lambda some: ranking.scores(relevance.queries[some]), relevance)
        return [Baseline(NAME, Evaluation(ranks.metrics(), rows=ranks.paired()))]

    @override
    def files(self, fitted: EmbeddingFitted) -> NetworkFiles:
        """With the tokenizer, and what sentence-transformers loads the folder by."""
        usual = super().files(fitted)

        def companions(folder: Path) -> None:
            usual.companions(folder)
            write_sentence_model(folder, fitted.recipe, self._size, fitted.max_length)

        return replace(usual, companions=companions)


def _loss_with(section: EmbeddingConfig, targets: Mapping[str, Any]) -> Loss:
    """Return the loss of columns of vectors for the targets of a batch."""
    if "scores" in targets:
        score, scores = cosine_loss if section.loss == "cosine" else cosent_loss, targets["scores"]
        return lambda vectors: score(vectors[0], vectors[1], scores)
    negatives = InBatchNegatives(section.temperature, section.symmetric)
    keys = TextKeys(targets["anchor_keys"], targets["passage_keys"])
    return lambda vectors: negatives(vectors[0], vectors[1:], keys)


def _width(config: Any) -> int:
    """Return the numbers of a token's vector; some decoders project states to fewer at the end."""
    inner = config.get_text_config()
    names = ("word_embed_proj_dim", "hidden_size")
    size = next((size for name in names if (size := getattr(inner, name, None))), None)
    if size is None:
        raise TrainingError(
            f"model.path: networks of the type {config.model_type} have no vector for each token.",
            "Choose another model.",
        )
    return int(size)


def _device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _texts(table: pa.Table, name: str) -> pa.Array:
    return pa.array(texts_in(table, [name]), pa.string())


def _pairs(table: pa.Table, fitted: EmbeddingFitted) -> tuple[list[str], list[str]]:
    """Return the anchors and the texts that belong to them."""
    roles = fitted.columns
    return list(texts_in(table, [roles.anchor])), list(texts_in(table, [roles.positive]))


def _cosines(table: pa.Table, fitted: EmbeddingFitted) -> pa.Array:
    """Return the cosine that each pair is to have."""
    assert fitted.scale is not None
    scores = numbers_of(table, fitted.columns.score)
    return pa.array([None if s is None else fitted.scale.cosine(s) for s in scores], pa.float64())
