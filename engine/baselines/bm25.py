"""BM25, the usual ranking by shared words: a network that is not better finds only words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NAME = "BM25"
_K1, _B = 1.2, 0.75
"""Lucene's defaults."""
_WORD = re.compile(r"\w+")


class Bm25:
    """Scores of passages for queries (Robertson and Zaragoza 2009), as Lucene computes them.

    Without the factor k₁ + 1, which changes no rank; the logarithm is never negative. See
    Kamphuis et al. 2020, "Which BM25 do you mean?", the variant "Lucene (accurate)".
    """

    def __init__(self, passages: Sequence[str]) -> None:
        words = [Counter(_words(text)) for text in passages]
        lengths = np.array([sum(counts.values()) for counts in words], np.float64)
        mean = lengths.mean() if lengths.any() else 1.0
        self._count = len(passages)
        self._norms = _K1 * (1 - _B + _B * lengths / mean)
        postings: dict[str, list[tuple[int, int]]] = {}
        for number, counts in enumerate(words):
            for word, count in counts.items():
                postings.setdefault(word, []).append((number, count))
        self._postings = {word: np.array(found).T for word, found in postings.items()}

    def scores(self, queries: Sequence[str]) -> NDArray[np.float64]:
        """Return the scores ``[queries, passages]``."""
        result = np.zeros((len(queries), self._count))
        for row, query in zip(result, queries, strict=True):
            for word, times in Counter(_words(query)).items():
                if word in self._postings:
                    places, counts = self._postings[word]
                    weight = times * self._weight(len(places))
                    row[places] += weight * counts / (counts + self._norms[places])
        return result

    def _weight(self, passages: int) -> float:
        """Return the weight of a word by the number of passages with it."""
        return math.log(1 + (self._count - passages + 0.5) / (passages + 0.5))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
