"""Texts that belong together as tokens, and a split of them in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor
from typing_extensions import override

from engine.batches.source import Batch, Source, mixed
from engine.text.tokens.source import TokenSource, token_inputs

ANCHOR, PASSAGE, SCORE = "anchor", "passage_", "score"
"""Columns to be tokenised; passages are numbered, the positive first."""
_KEY = "_key"
_TOKENS = ("input_ids", "token_type_ids")


class TokenisePairs:
    """Texts to tokens, each behind its prompt, with a number that is equal for equal texts."""

    def __init__(self, tokenizer: Any, query: str, passage: str, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._prompts = {ANCHOR: query}
        self._passage = passage
        self._max_length = max_length

    def __call__(self, rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Return the columns of tokens, keys and scores of some rows."""
        samples: dict[str, list[Any]] = {}
        for name, values in rows.items():
            if name == SCORE:
                samples[SCORE] = values
                continue
            prefix = "" if name == ANCHOR else name + "_"
            tokens = self._tokens(values, self._prompts.get(name, self._passage))
            samples |= {prefix + kind: ids for kind, ids in tokens.items() if kind in _TOKENS}
            samples[name + _KEY] = [_key(text) for text in values]
        return samples

    def _tokens(self, texts: Sequence[str], prompt: str) -> dict[str, list[Any]]:
        return dict(self._tokenizer(
            [prompt + text for text in texts], truncation=True, max_length=self._max_length,
            return_attention_mask=False,
        ))  # fmt: skip


def _key(text: str) -> int:
    digest = hashlib.blake2b(text.strip().encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class CollatePairs:
    """Samples as a batch: the anchors as inputs, everything else as targets."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad = pad_token_id

    def __call__(self, samples: pa.Table) -> Batch:
        """Return some samples as a batch on the CPU."""
        inputs = token_inputs(samples, self._pad)
        passages = [name.removesuffix(_KEY) for name in samples.column_names
                    if name.startswith(PASSAGE) and name.endswith(_KEY)]  # fmt: skip
        if not passages:
            return Batch(inputs, None, samples.num_rows)
        targets: dict[str, Any] = {
            "passages": {name: self._inputs(samples, name) for name in passages},
            "anchor_keys": _numbers(samples, ANCHOR + _KEY),
            "passage_keys": torch.stack(
                [_numbers(samples, name + _KEY) for name in passages], dim=1
            ),
        }
        if SCORE in samples.column_names:
            targets["scores"] = torch.tensor(samples[SCORE].to_pylist(), dtype=torch.float32)
        return Batch(inputs, targets, samples.num_rows)

    def _inputs(self, samples: pa.Table, name: str) -> dict[str, Tensor]:
        prefix = name + "_"
        kinds = [kind for kind in _TOKENS if prefix + kind in samples.column_names]
        return token_inputs(pa.table({kind: samples[prefix + kind] for kind in kinds}), self._pad)


def _numbers(samples: pa.Table, name: str) -> Tensor:
    return torch.tensor(samples[name].to_pylist(), dtype=torch.int64)


class NegativesSource(TokenSource):
    """Pairs and triplets in batches at random: texts of like length would be easy negatives."""

    @override
    def plan(self, batch_size: int, generator: torch.Generator | None = None) -> Sequence[Tensor]:
        return Source.plan(self, batch_size, generator)

    @override
    def evaluation_plan(self, batch_size: int) -> list[Tensor]:
        """Return batches that are the same in every evaluation, whatever the order of the rows."""
        return list(Source.plan(self, batch_size, torch.Generator().manual_seed(mixed(0))))


def padded_texts(tokenizer: Any, texts: Sequence[str], max_length: int) -> dict[str, Tensor]:
    """Return texts as inputs of a network, without a cache of tokens."""
    tokens = tokenizer(
        list(texts), truncation=True, max_length=max_length, return_attention_mask=False
    )
    columns = {kind: pa.chunked_array([tokens[kind]]) for kind in _TOKENS if kind in tokens}
    return token_inputs(pa.table(columns), tokenizer.pad_token_id)
