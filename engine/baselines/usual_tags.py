"""The baseline of tagging: each word has the tag that it has the most often in training."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

USUAL_TAGS = "each word's most frequent tag"

Tagged = tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]]
"""Words and tags of some sentences."""


def usual_tags(train: Tagged, sentences: Iterable[Sequence[str]], outside: str) -> list[list[str]]:
    """Return the tags of ``sentences``; words that are not in ``train`` have the tag ``outside``.

    A word is looked for as it is written, then in lower case.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for words, tags in zip(*train, strict=True):
        for word, tag in zip(words, tags, strict=True):
            counts[word][tag] += 1
            if word != word.lower():
                counts[word.lower()][tag] += 1
    usual = {word: found.most_common(1)[0][0] for word, found in counts.items()}
    return [
        [usual.get(word) or usual.get(word.lower(), outside) for word in words]
        for words in sentences
    ]
