"""Made-up sentences that say the same in other words, and pairs that say the same in part."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pyarrow as pa

from engine.data.raw import TRAIN, RawData

_ROWS = 2000
_CHOICES = (
    (("doctor", "physician"), ("teacher", "tutor"), ("child", "kid"), ("thief", "burglar"),
     ("chef", "cook"), ("sailor", "mariner"), ("farmer", "grower"), ("lawyer", "attorney"),
     ("writer", "author"), ("soldier", "warrior"), ("guest", "visitor"), ("boss", "manager")),
    (("happy", "cheerful"), ("angry", "furious"), ("tired", "weary"), ("brave", "courageous"),
     ("rich", "wealthy"), ("sick", "ill"), ("clever", "smart"), ("quick", "fast"),
     ("quiet", "silent"), ("old", "aged"), ("famous", "renowned"), ("strange", "odd")),
    (("buys", "purchases"), ("repairs", "fixes"), ("sells", "offers"), ("hides", "conceals"),
     ("finds", "discovers"), ("breaks", "smashes"), ("cleans", "washes"), ("builds", "constructs"),
     ("paints", "colours"), ("steals", "takes"), ("moves", "shifts"), ("wants", "desires")),
    (("car", "automobile"), ("house", "home"), ("bike", "bicycle"), ("boat", "vessel"),
     ("sofa", "couch"), ("lamp", "light"), ("picture", "painting"), ("stone", "rock"),
     ("jar", "pot"), ("coat", "jacket"), ("road", "street"), ("gift", "present")),
)  # fmt: skip
"""Person, mood, deed and thing: each word with another for the same."""
_POINTS = 5.0
Meaning = tuple[int, ...]


def paraphrases() -> RawData:
    """2,000 different questions, and for each the passage that answers it in other words."""
    made = random.Random(0)
    meanings = [_meaning(made) for _ in range(2 * _ROWS)]
    meanings = list(dict.fromkeys(meanings))[:_ROWS]
    columns = {
        "query": ["which {1} {0} {2} a {3} ?".format(*_words(m, 0)) for m in meanings],
        "passage": ["the {} , who is {} , {} the {} .".format(*_words(m, 1)) for m in meanings],
    }
    return RawData({TRAIN: pa.table(columns)})


def similar() -> RawData:
    """2,000 pairs of sentences, scored from 0 to 5 by the share of their meaning that is equal."""
    made = random.Random(0)
    first, second, scores = [], [], []
    for _ in range(_ROWS):
        one, other = _meaning(made), _meaning(made)
        shared = made.sample(range(len(one)), made.randint(0, len(one)))
        other = tuple(one[part] if part in shared else other[part] for part in range(len(one)))
        first.append("the {1} {0} {2} a {3} .".format(*_words(one, 0)))
        second.append("a {1} {0} {2} the {3} .".format(*_words(other, 1)))
        equal = sum(a == b for a, b in zip(one, other, strict=True))
        scores.append(_POINTS * equal / len(one))
    columns = {"sentence1": first, "sentence2": second, "score": scores}
    return RawData({TRAIN: pa.table(columns)})


def _meaning(made: random.Random) -> Meaning:
    return tuple(made.randrange(len(words)) for words in _CHOICES)


def _words(meaning: Meaning, wording: int) -> Sequence[str]:
    return [words[choice][wording] for words, choice in zip(_CHOICES, meaning, strict=True)]
