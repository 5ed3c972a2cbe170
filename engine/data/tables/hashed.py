"""Texts as weighted words, and ids as themselves, hashed to a fixed number of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.tables.schema import ScoredKind
from engine.processes.later import Later

text, preprocessing = Later("sklearn.feature_extraction.text"), Later("sklearn.preprocessing")

BUCKETS: Mapping[ScoredKind, int] = {"text": 1 << 13, "id": 1 << 15}
_LONGEST = 2000
"""Characters of a text that count: the rest of longer ones is cut off."""

Sparse = Any
"""A sparse matrix of scipy, ``[rows, buckets]``."""


def hashed(kind: ScoredKind, values: Sequence[str | None]) -> Sparse:
    """Return the counts of words and of parts of words, or a one for an id; missing has nothing.

    Parts are 3 and 4 characters: they find endings, typing errors and scripts without blanks.
    """
    shared: dict[str, Any] = {"n_features": BUCKETS[kind], "alternate_sign": False, "norm": None}
    cells = ["" if value is None else value[:_LONGEST] for value in values]
    if kind == "id":
        return text.HashingVectorizer(analyzer=_itself, **shared).transform(cells)
    words = text.HashingVectorizer(token_pattern=r"(?u)\b\w+\b", **shared)
    parts = text.HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), **shared)
    counts = words.transform(cells) + parts.transform(cells)
    counts.data = 1 + np.log(counts.data)
    return counts


def _itself(text: str) -> list[str]:
    return [text] if text else []


def weighted(counts: Sparse, rarity: NDArray[np.floating]) -> Sparse:
    """Return TF-IDF: counts times the rarity of their column, each row of length 1."""
    return preprocessing.normalize(counts.multiply(rarity[None, :].astype(np.float64)).tocsr())


def rarity_of(counts: Sparse) -> NDArray[np.float64]:
    """Return the smoothed inverse document frequency of each column, 1 at least."""
    rows = counts.shape[0]
    present = np.bincount(counts.indices, minlength=counts.shape[1])
    found: NDArray[np.float64] = np.log((1 + rows) / (1 + present)) + 1
    return found
