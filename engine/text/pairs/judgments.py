"""Columns beside two texts that say whether these belong together, by their names and values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from engine.data.raw import class_names
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.columns import by_name
from engine.text.numbers_of import numbers_of

SIMILARITIES = (
    "score", "similarity", "similarity_score", "relatedness_score", "label", "labels",
    "is_duplicate", "duplicate", "is_paraphrase", "paraphrase", "is_similar", "is_match",
)  # fmt: skip
"""Names of columns that say how alike two texts are."""
RELEVANCE = ("relevance", "is_relevant", "relevant", "is_selected", "is_correct", "is_answer")
"""Names of columns that say whether a passage answers a query: 0 if it does not."""
_OF_CLASSES = ("gold_label", *SIMILARITIES, *RELEVANCE)
_INFERENCE_PAIR = ("premise", "hypothesis")
_INFERENCE = {"entailment", "neutral", "contradiction"}
_CLASSES = {"0", "1", "2", *_INFERENCE}
"""Labels of inference, of which one alone says that texts mean the same; a dash is for none."""
_DENIALS = {"no", "different", "dissimilar", "unrelated", "irrelevant", "incorrect", "wrong"}
_DENYING = ("not", "non", "un-", "dis-")
_LOOKED_AT = 1000
_SHOWN = 3


def numbered(table: pa.Table, names: Sequence[str]) -> str:
    """Return the first column of ``names`` that holds numbers; empty where none does."""
    for name in names:
        found = by_name(table, [name])
        if found and any(value is not None for value in numbers_of(table, found)):
            return found
    return ""


def is_yes_or_no(table: pa.Table, column: str) -> bool:
    """Return whether all numbers of a column are 0 or 1."""
    return {value for value in numbers_of(table, column) if value is not None} <= {0.0, 1.0}


def check_classes(table: pa.Table, pair: tuple[str, str]) -> None:
    """Refuse pairs beside classes, of which some say that the two do not belong together.

    Raises :class:`DataError`.
    """
    others = table.select([name for name in table.column_names if name not in pair])
    for name in _OF_CLASSES:
        label = by_name(others, [name])
        if label is None:
            continue
        named = class_names(table, label)
        values = [str(value).strip().lower() for value in named or _first(table, label)]
        if _are_inference(pair, set(values)):
            raise DataError(
                f"The column {plain(label, 60)!r} has classes of inference, not scores: pairs that "
                "contradict each other would be learned as alike.",
                "Keep the premises with the entailed hypotheses as pairs, and the contradictions "
                "as a column of negatives; task.score=- learns all pairs, task.score takes them "
                "as scores.",
            )
        if _are_denied(values, named):
            shown = ", ".join(plain(value, 30) for value in sorted(set(values))[:_SHOWN])
            raise DataError(
                f"The column {plain(label, 60)!r} has classes ({shown}), not scores: pairs that do "
                "not belong together would be learned as alike.",
                "Write 1 and 0 in their place, or keep the pairs that belong together; "
                "task.score=- learns all pairs.",
            )


def _first(table: pa.Table, name: str) -> list[Any]:
    return [value for value in table[name][:_LOOKED_AT].to_pylist() if value is not None]


def _are_inference(pair: tuple[str, str], values: set[str]) -> bool:
    known = values - {"-", "-1"}
    if len(known) < 2 or not known <= _CLASSES:
        return False
    if tuple(map(str.lower, pair)) == _INFERENCE_PAIR:
        return not known <= {"0", "1"}
    return bool(known & _INFERENCE)


def _are_denied(values: Sequence[str], named: Iterable[str] | None) -> bool:
    """Return whether some classes say no in words; numbers of classes may stand for them in order.

    So 0 for no and 1 for yes are scores.
    """
    different = list(dict.fromkeys(values))
    denials = [value for value in different if value in _DENIALS or value.startswith(_DENYING)]
    if not denials or len(denials) == len(different):
        return False
    return named is None or len(different) != 2 or different[0] not in denials
