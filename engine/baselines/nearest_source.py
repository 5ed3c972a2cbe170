"""The baselines of texts from texts: the source itself, and the target of the nearest source."""

from __future__ import annotations

from collections.abc import Sequence

from engine.processes.later import Later

text = Later("sklearn.feature_extraction.text")

SAME_TEXT = "the source as it is"
NEAREST_SOURCE = "the target of the nearest training source"
ROWS = 20_000
"""More training rows than this take long."""
_AT_ONCE = 64


def targets_of_nearest(
    sources: Sequence[str], targets: Sequence[str], new: Sequence[str]
) -> list[str]:
    """Return for each of ``new`` the target of the training source that is most like it.

    Likeness is the cosine of TF-IDF weights of parts of words.
    """
    weights = text.TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    known = weights.fit_transform(sources)
    asked = weights.transform(new)
    found: list[int] = []
    for begin in range(0, len(new), _AT_ONCE):
        likeness = asked[begin : begin + _AT_ONCE] @ known.T
        found += likeness.toarray().argmax(1).tolist()
    return [targets[place] for place in found]
