"""Scores of the entities found in tagged sentences, as conlleval and seqeval define them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.text.tagging.scheme import Entity


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 of one type of entity, or of all."""

    precision: float
    recall: float
    f1: float
    support: int
    """Entities that there are."""


def entity_scores(
    truth: Sequence[Sequence[Entity]], predicted: Sequence[Sequence[Entity]]
) -> tuple[Score, dict[str, Score]]:
    """The score of all entities together (micro), and that of each type.

    An entity counts as found when type and both borders are right.
    """
    there: Counter[str] = Counter()
    said: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for wanted, given in zip(truth, predicted, strict=True):
        there.update(kind for kind, _, _ in wanted)
        said.update(kind for kind, _, _ in given)
        right.update(kind for kind, _, _ in set(wanted) & set(given))
    by_type = {kind: _score(right[kind], said[kind], there[kind]) for kind in sorted(there | said)}
    return _score(right.total(), said.total(), there.total()), by_type


def _score(right: int, said: int, there: int) -> Score:
    precision = right / said if said else 0.0
    recall = right / there if there else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return Score(precision, recall, f1, there)
