"""Exact match and F1 of answers, as SQuAD defines them.

Both compare texts without case, punctuation, articles and extra blanks (Rajpurkar et al. 2016,
2018); F1 is that of the words as a bag. Of several references the best counts. A question without
an answer has the empty text as its reference.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalized(answer: str) -> str:
    """Return the answer in lower case, without punctuation, articles and extra spaces."""
    bare = answer.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(predicted: str, references: Sequence[str]) -> float:
    """1 if ``predicted`` is one of the references, else 0."""
    return _best(
        lambda reference: float(normalized(predicted) == normalized(reference)), references
    )


def answer_f1(predicted: str, references: Sequence[str]) -> float:
    """Harmonic mean of the shares of words in common, 0 to 1."""
    return _best(lambda reference: _f1(predicted, reference), references)


def _best(score: Callable[[str], float], references: Sequence[str]) -> float:
    meant = [reference for reference in references if normalized(reference)]
    return max(map(score, meant or [""]))


def _f1(predicted: str, reference: str) -> float:
    said, wanted = normalized(predicted).split(), normalized(reference).split()
    if not said or not wanted:
        return float(said == wanted)
    common = (Counter(said) & Counter(wanted)).total()
    return 2 * common / (len(said) + len(wanted))
