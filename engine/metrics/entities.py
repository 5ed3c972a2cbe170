"""Entities in tagged sentences, and how many were found, as conlleval and seqeval define it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Entity = tuple[str, int, int]
"""Type, first word, and the word after the last."""

OUTSIDE = "O"
_BEGINS, _ENDS, _INSIDE = "BSU", "ESL", "IM"
_PREFIXES = frozenset(_BEGINS + _ENDS + _INSIDE)


def has_prefixes(tags: Sequence[str]) -> bool:
    """Return whether tags mark the start of entities, like ``B-person``; parts of speech do not."""
    marked = [tag for tag in tags if tag != OUTSIDE]
    return bool(marked) and all(tag[:1] in _PREFIXES and tag[1:2] == "-" for tag in marked)


def entities_of(tags: Sequence[str], prefixes: bool = True) -> list[Entity]:
    """The entities of a sentence, tolerant of sequences that the scheme does not allow.

    An entity begins at B (S, U), after an end (E, S, L), after an untagged word, and wherever the
    type changes; so ``I-x`` after ``O`` begins one too. Without ``prefixes``, neighbours with the
    same tag make one.
    """
    found: list[Entity] = []
    open_type, start, before = "", 0, OUTSIDE
    for index, tag in enumerate([*tags, OUTSIDE]):
        prefix, kind = _parts(tag, prefixes)
        begins = prefix in _BEGINS or before in _ENDS or kind != open_type
        if open_type and (not kind or begins):
            found.append((open_type, start, index))
        if kind and (begins or not open_type):
            start = index
        open_type, before = kind, prefix
    return found


def _parts(tag: str, prefixes: bool) -> tuple[str, str]:
    """Return prefix and type; outside of entities they have no meaning."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if not prefixes:
        return "I", tag
    prefix, _, kind = tag.partition("-")
    return prefix, kind or "_"


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
