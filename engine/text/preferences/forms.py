"""Comparisons as people keep them, read as rows with a chosen answer and those that are worse.

Answers may stand in a list with a score each (UltraFeedback, Nectar, distilabel), or in two columns
beside one that says which is better (LMSYS, SHP, PKU-SafeRLHF, AlpacaFarm, HelpSteer3), or two in a
list, the better one first (LLaMA-Factory).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from engine.config.tasks.preference import PreferenceConfig
from engine.data.on_disk import Rows, in_windows
from engine.data.raw import TRAIN, RawData
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.columns import by_name
from engine.text.preferences.columns import has_answers
from engine.text.written_lists import listed

_LISTS = ("completions", "responses", "answers", "candidates", "generations", "outputs")
_TEXTS = ("response", "answer", "text", "completion", "output", "content", "generation")
_SCORES = ("overall_score", "score", "rating", "fine-grained_score", "rank")
_SCORE_LISTS = ("ratings", "scores", "rating", "score", "ranks", "rank")
_PAIRS = tuple(
    (f"{stem}{gap}{one}", f"{stem}{gap}{other}")
    for stem in ("response", "answer", "completion", "conversation", "output", "generation",
                 "human_ref", "summary")
    for one, other in (("a", "b"), ("0", "1"), ("1", "2"))
    for gap in ("_", "")
)  # fmt: skip
_CHOICES = (
    "winner", "preference", "overall_preference", "better_response_id", "preferred", "choice",
    "label", "labels",
)  # fmt: skip
_SHP = "human_ref_a"
"""The first answer of SHP, which is the better one where ``labels`` is 1."""
_SIGNED = "overall_preference"
"""The column in which a negative number prefers the first answer: of HelpSteer3."""
_TIES = ("tie", "tie (bothbad)", "both", "bothbad", "neither", "equal", "same", "draw", "none")
_NO_CHOICE = ("", "none", "null", "nan")
CHOSEN, REJECTED = "chosen", "rejected"
_SIDES = (CHOSEN, REJECTED)
_ORDERED = ("output",)
"""The column of LLaMA-Factory with a chosen and a rejected answer."""


@dataclass(frozen=True)
class _Judged:
    """Answers of one row: the better one, and those that are worse."""

    chosen: Any
    rejected: Any
    """One answer, or a list of them."""


@dataclass(frozen=True)
class _Form:
    """The columns of a form, and the sentence on it."""

    columns: tuple[str, ...]
    why: str

    def judged(self, row: Mapping[str, Any]) -> _Judged | None:
        """Return the answers of a row, None where no one is better than another."""
        raise NotImplementedError


@dataclass(frozen=True)
class _Scored(_Form):
    """A list of answers with a score each, in it or in a list beside it."""

    def judged(self, row: Mapping[str, Any]) -> _Judged | None:
        texts, *scores = (listed(row[name]) or [] for name in self.columns)
        if scores:
            lower = self.columns[1].lower().startswith("rank")
            pairs = list(zip(texts, map(_number, scores[0]), strict=False))
        else:
            lower = _score_key(texts) == "rank"
            pairs = [(_answer(one), _number(one.get(_score_key(texts)))) for one in texts]
        known = [(text, -score if lower else score) for text, score in pairs
                 if score is not None and text is not None]  # fmt: skip
        if not known:
            return None
        best, most = max(known, key=lambda pair: pair[1])
        worse = [text for text, score in known if score < most]
        return _Judged(best, worse) if worse else None


@dataclass(frozen=True)
class _Either(_Form):
    """Two answers, and a column that says which is better."""

    def judged(self, row: Mapping[str, Any]) -> _Judged | None:
        one, other, choice = (row[name] for name in self.columns)
        first = _prefers_first(choice, *self.columns)
        if first is None:
            return None
        return _Judged(one, other) if first else _Judged(other, one)


@dataclass(frozen=True)
class _Ordered(_Form):
    """A list of two answers, the better one first."""

    def judged(self, row: Mapping[str, Any]) -> _Judged | None:
        texts = listed(row[self.columns[0]]) or []
        return _Judged(*texts) if len(texts) == len(_SIDES) and None not in texts else None


def with_answers(raw: RawData, section: PreferenceConfig) -> RawData:
    """Return the data with columns ``chosen`` and ``rejected``, where it has another known form.

    Rows of which no answer is better are left out and counted. Raises :class:`DataError`.
    """
    form = None if has_answers(raw.train, section) else _form_of(raw.train)
    if form is None:
        return raw
    splits: dict[str, pa.Table] = {}
    notes: list[Note] = []
    for split, table in raw.splits.items():
        made, equal = _with_answers(table, form)
        if split == TRAIN and not made.num_rows:
            raise DataError(
                f"No training row has an answer that is better than another, by "
                f"{plain(form.columns[-1], 60)}.",
                "Choose task.chosen and task.rejected.",
            )
        splits[split] = made
        notes += _notes(split, form, made, equal)
    return raw.with_splits({name: table for name, table in splits.items() if table.num_rows},
                           *notes)  # fmt: skip


def _notes(split: str, form: _Form, made: pa.Table, equal: int) -> Iterator[Note]:
    name = plain(form.columns[0], 40)
    yield Note(f"{split}: {form.why}", name, "chosen, rejected", made.num_rows, "task.chosen",
               kind="converted")  # fmt: skip
    if equal:
        why = f"{split}: {counted(equal, 'row')} left out in which no answer is better"
        yield Note(why, name, rows=equal, kind="dropped")


def _form_of(table: pa.Table) -> _Form | None:
    if (name := by_name(table, _LISTS)) is not None:
        first = next((listed(v) for v in table[name][:100].to_pylist() if listed(v)), None) or []
        if _score_key(first) and all(_answer(one) is not None for one in first):
            key = _score_key(first)
            return _Scored((name,), _scored(name, key))
        scores = by_name(table, _SCORE_LISTS)
        if first and scores and any(listed(v) for v in table[scores][:100].to_pylist()):
            return _Scored((name, scores), _scored(name, scores))
    if (name := by_name(table, _ORDERED)) is not None and _are_two(table, name):
        return _Ordered((name,), f"the first of the two answers in {plain(name, 40)} is the better")
    pairs = ((by_name(table, (one,)), by_name(table, (other,))) for one, other in _PAIRS)
    pair = next(((one, other) for one, other in pairs if one and other), None)
    choice = by_name(table, _CHOICES)
    if pair is None or choice is None:
        return None
    one, other, said = (plain(name, 40) for name in (*pair, choice))
    return _Either((*pair, choice), f"{said} says which of {one} and {other} is better")


def _are_two(table: pa.Table, name: str) -> bool:
    some = [listed(value) for value in table[name][:100].to_pylist() if value is not None]
    return bool(some) and all(texts is not None and len(texts) == len(_SIDES) for texts in some)


def _scored(name: str, key: str) -> str:
    return (
        f"the answers in {plain(name, 40)} are compared by {plain(key, 40)}: the best with each "
        "that is worse"
    )


def _with_answers(table: pa.Table, form: _Form) -> tuple[pa.Table, int]:
    """Return the rows with a better answer, and the number of the others."""
    judged: list[_Judged | None] = []
    for piece in in_windows(table.select(list(form.columns))):
        judged += map(form.judged, piece.to_pylist())
    kept = np.array([place for place, one in enumerate(judged) if one is not None], np.int64)
    rows = Rows(table).take(kept).drop_columns(list(form.columns))
    if "prompt" not in rows.column_names and form.columns[0].lower() == _SHP:
        names = ["prompt" if name == "history" else name for name in rows.column_names]
        rows = rows.rename_columns(names)
    found = [one for one in judged if one is not None]
    rows = rows.append_column(CHOSEN, pa.array([one.chosen for one in found]))
    rows = rows.append_column(REJECTED, pa.array([one.rejected for one in found]))
    return rows, len(judged) - len(found)


def _score_key(answers: Sequence[Any]) -> str:
    """Return the key of the scores in a list of objects; empty where they have none."""
    objects = [one for one in answers if isinstance(one, Mapping)]
    if not objects or len(objects) < len(answers):
        return ""
    return next((key for key in _SCORES if any(one.get(key) is not None for one in objects)), "")


def _answer(one: Any) -> Any:
    if not isinstance(one, Mapping):
        return one
    return next((one[key] for key in _TEXTS if one.get(key) is not None), None)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _prefers_first(choice: Any, one: str, other: str, name: str) -> bool | None:
    """Return whether the first of two answers is better, None for neither.

    Raises :class:`DataError` for a choice that does not say which.
    """
    said = str(choice).strip().lower()
    if choice is None or said in _NO_CHOICE or said in _TIES:
        return None
    marks = (one.lower()[-1], other.lower()[-1])
    number = _number(choice)
    if number is not None and name.lower() == _SIGNED:
        return None if number == 0 else number < 0
    if number is not None and one.lower() == _SHP:
        return number == 1
    said = f"{number:g}" if number is not None else said
    for first, mark, column in ((True, marks[0], one), (False, marks[1], other)):
        if said == column.lower() or said == mark or said[-2:] in (f"_{mark}", f" {mark}"):
            return first
    raise DataError(
        f"{plain(name, 40)}: {plain(str(choice), 40)!r} does not say whether {plain(one, 40)} or "
        f"{plain(other, 40)} is better.",
        f"Write {plain(one, 40)}, {plain(other, 40)} or tie, or columns chosen and rejected.",
    )
