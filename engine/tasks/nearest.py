"""The passages that are nearest to a text, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from engine.pipelines.embedding import EmbeddingFitted

_FOUND = 5
_SHOWN = 5
"""Rows that the monitor shows."""


class NearestPassages:
    """Passages that are kept with a model, embedded once."""

    def __init__(self, vectors: Tensor, fitted: EmbeddingFitted) -> None:
        """``vectors`` are those of the passages, ``[passages, size]``."""
        self._vectors = functional.normalize(vectors).cpu()
        self._passages = fitted.passages

    def beside(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the records, each vector with the nearest passages before it."""
        if not self._passages:
            return records
        return [{"nearest": self._found(record["embedding"]), **record} for record in records]

    def _found(self, vector: Sequence[float]) -> list[dict[str, Any]]:
        cosines = self._vectors @ functional.normalize(torch.tensor(vector), dim=0)
        best = cosines.topk(min(_FOUND, len(cosines)))
        return [
            {"text": self._passages[place], "score": score}
            for score, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]


def sample_records(
    anchors: Tensor, passages: Tensor, pairs: Sequence[tuple[str, str]], truth: Tensor | None
) -> list[dict[str, str]]:
    """Return a few rows in words: with what is found first, or with the cosine and its ``truth``.

    Passages are ``[rows, size]``, one for each anchor.
    """
    cosines = functional.normalize(anchors[:_SHOWN]) @ functional.normalize(passages).T
    records = []
    for row, (anchor, own) in enumerate(pairs[:_SHOWN]):
        if truth is not None:
            cosine = f"{cosines[row, row]:.3f} (wanted {truth[row]:.3f})"
            records.append({"first": anchor, "second": own, "cosine": cosine})
            continue
        first = int(cosines[row].argmax())
        rank = 1 + int((cosines[row] > cosines[row, row]).sum())
        records.append({
            "query": anchor, "passage": own, "rank": f"{rank} of {len(pairs)}",
            "ranked first": pairs[first][1],
        })  # fmt: skip
    return records
