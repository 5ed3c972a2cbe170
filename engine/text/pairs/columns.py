"""The columns of texts that belong together: anchor, positive, hard negatives, and a score."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from engine.config.tasks.embedding import SCORE_LOSSES, EmbeddingConfig
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.columns import IDS, by_name, chosen, is_text
from engine.text.pairs.judgments import (
    RELEVANCE,
    SIMILARITIES,
    check_classes,
    is_yes_or_no,
    numbered,
)
from engine.text.pairs.listed_passages import columns_of_lists

Form = Literal["pairs", "triplets", "scores"]

_PAIRS = (
    ("anchor", "positive"), ("query", "positive"), ("query", "document"), ("query", "passage"),
    ("query", "answer"), ("query", "pos"), ("query", "positive_passages"),
    ("question", "answer"), ("question", "passage"), ("question", "document"),
    ("question", "context"), ("sentence1", "sentence2"),
    ("sentence_a", "sentence_b"), ("sentence_0", "sentence_1"), ("text1", "text2"),
    ("text_a", "text_b"), ("question1", "question2"), ("premise", "hypothesis"),
    ("title", "abstract"), ("title", "body"),
)  # fmt: skip
_NEGATIVE = re.compile(r"(hard_)?neg(ative)?s?(_passages?)?[_-]?\d*", re.IGNORECASE)
_NONE = "-"


@dataclass(frozen=True)
class PairColumns:
    """The columns by their roles; ``score`` and ``judged`` are empty where there is none."""

    anchor: str
    positive: str
    negatives: tuple[str, ...] = ()
    score: str = ""
    judged: str = ""
    """Numbers of which those up to 0 say that the two texts do not belong together."""

    @property
    def form(self) -> Form:
        """The form of the data."""
        if self.score:
            return "scores"
        return "triplets" if self.negatives else "pairs"

    @property
    def passages(self) -> tuple[str, ...]:
        """The columns of texts that are found by an anchor."""
        return (self.positive, *self.negatives)

    @property
    def roles(self) -> dict[str, str]:
        """The role of each column in words."""
        return {
            self.anchor: "anchor",
            self.positive: "second text" if self.score else "positive",
            **dict.fromkeys(self.negatives, "negative"),
            **({self.score: "score"} if self.score else {}),
            **({self.judged: "judgment"} if self.judged else {}),
        }


def pair_columns(table: pa.Table, section: EmbeddingConfig) -> PairColumns:
    """Return the columns that the fields name, else those found by their names.

    Raises :class:`DataError`.
    """
    anchor, positive = _pair(table, section)
    negatives = _negatives(table, section, (anchor, positive))
    if section.loss in SCORE_LOSSES:
        negatives = ()
    score = "" if negatives else _score(table, section, (anchor, positive))
    if not negatives and not section.score:
        check_classes(table, (anchor, positive))
    judged = ""
    if not score and not negatives and section.score != _NONE:
        judged = numbered(_without(table, (anchor, positive)), RELEVANCE)
    if score and section.loss == "in_batch_negatives" and not section.score:
        judged, score = score if is_yes_or_no(table, score) else "", ""
    _check_loss(section, score)
    return PairColumns(anchor, positive, negatives, score, judged)


def _check_loss(section: EmbeddingConfig, score: str) -> None:
    """Refuse a loss function that the data does not suit."""
    if section.loss in SCORE_LOSSES and not score:
        raise DataError(
            f"task.loss {section.loss} needs the score of each pair, and no column has one.",
            "Set task.score, or task.loss=in_batch_negatives.",
        )
    if section.loss == "in_batch_negatives" and score:
        raise DataError(
            "task.loss in_batch_negatives has no use for the scores of pairs.",
            "Leave task.score empty, or choose cosent or cosine.",
        )


def _pair(table: pa.Table, section: EmbeddingConfig) -> tuple[str, str]:
    texts = table.select([name for name in table.column_names if is_text(table, name)])
    if section.anchor and section.positive:
        found = (section.anchor, section.positive)
    else:
        found = _found(texts, section)
    for name, field in zip(found, ("task.anchor", "task.positive"), strict=True):
        if not is_text(table, chosen(table, name, field)):
            raise DataError(f"{field}: the column {plain(name, 60)!r} does not hold texts.")
    if found[0] == found[1]:
        raise DataError("task.anchor and task.positive name the same column.")
    return found


def _found(texts: pa.Table, section: EmbeddingConfig) -> tuple[str, str]:
    """Return a pair of columns by its usual names, or the only two columns of texts."""
    for usual in _PAIRS:
        anchor = section.anchor or by_name(texts, usual[:1])
        positive = section.positive or by_name(texts, usual[1:])
        if anchor and positive and anchor != positive:
            return anchor, positive
    rest = [
        name
        for name in texts.column_names
        if name not in (section.anchor, section.positive, section.score, *section.negatives)
        and not _NEGATIVE.fullmatch(name)
        and not IDS.fullmatch(name)
    ]
    given = [name for name in (section.anchor, section.positive) if name]
    if len(rest) + len(given) == 2:
        return section.anchor or rest.pop(0), section.positive or rest.pop(0)
    shown = ", ".join(plain(name, 40) for name in texts.column_names) or "none"
    raise DataError(
        f"Which columns hold texts that belong together? There is {shown} with texts.",
        "Set task.anchor and task.positive.",
    )


def _negatives(table: pa.Table, section: EmbeddingConfig, taken: Sequence[str]) -> tuple[str, ...]:
    if section.negatives == (_NONE,):
        return ()
    named = columns_of_lists(table, section.negatives)
    for name in named:
        if not is_text(table, chosen(table, name, "task.negatives")):
            raise DataError(
                f"task.negatives: the column {plain(name, 60)!r} does not hold texts.",
                "Give a column of texts, or of lists of texts.",
            )
    return named or tuple(
        name
        for name in table.column_names
        if _NEGATIVE.fullmatch(name) and name not in taken and is_text(table, name)
    )


def _score(table: pa.Table, section: EmbeddingConfig, taken: Sequence[str]) -> str:
    if section.score == _NONE:
        return ""
    if section.score:
        return chosen(table, section.score, "task.score")
    names = (*SIMILARITIES, *RELEVANCE) if section.loss in SCORE_LOSSES else SIMILARITIES
    return numbered(_without(table, taken), names)


def _without(table: pa.Table, taken: Sequence[str]) -> pa.Table:
    return table.select([name for name in table.column_names if name not in taken])
