"""The baseline of question answering: the sentence that has the most words of the question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from engine.metrics.text.squad import normalized

LIKELIEST_SENTENCE = "the sentence most like the question"
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")


def likeliest_sentences(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return an answer for each question and its context.

    Words weigh by how few sentences of the context have them. Of equal sentences the first counts.
    """
    return [_likeliest(question, _SENTENCE.findall(context)) for question, context in pairs]


def _likeliest(question: str, sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    words = [set(normalized(sentence).split()) for sentence in sentences]
    having = Counter(word for own in words for word in own)
    asked = set(normalized(question).split())

    def likeness(place: int) -> float:
        return sum(math.log(1 + len(words) / having[word]) for word in asked & words[place])

    return sentences[max(range(len(words)), key=likeness)].strip()
