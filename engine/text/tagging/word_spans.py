"""Lists of words whose entities are given as spans of their numbers, as words with tags.

GLiNER's ``{"tokenized_text": [...], "ner": [[0, 1, "person"]]}`` ends with the last word of an
entity; where a span ends where it begins, all do, and where one ends behind the last word, none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from engine.text.columns import by_name, is_flat_list
from engine.text.tagging.columns import TAG_NAMES, TOKEN_NAMES
from engine.text.tagging.scheme import OUTSIDE
from engine.text.tagging.spans import Span, holds_spans, spans_of
from engine.text.tokens.words import words_of

_TYPES = pa.list_(pa.string())


@dataclass(frozen=True, slots=True)
class WordSpans:
    """The columns of a table with words and the spans of their entities."""

    words: str
    spans: str
    past_end: int
    """1 where a span ends with the last word of the entity, 0 where with the word behind it."""

    def faults(self, table: pa.Table) -> list[str | None]:
        """Return for each row what keeps its spans from being tags of words, or ``None``."""
        return [_fault(words, spans) for words, spans in self._rows(table)]

    def sentences(self, table: pa.Table) -> pa.Table:
        """Return the table with words and tags in the place of words and spans."""
        rows = self._rows(table)
        return pa.table({
            self.words: pa.array([words for words, _ in rows], _TYPES),
            self.spans: pa.array([_tags(words, spans) for words, spans in rows], _TYPES),
        })  # fmt: skip

    def _rows(self, table: pa.Table) -> list[tuple[list[str], list[Span]]]:
        if self.words not in table.column_names or self.spans not in table.column_names:
            return [([], [])] * table.num_rows
        cells = zip(table[self.words].to_pylist(), table[self.spans].to_pylist(), strict=True)
        return [
            (words_of(words), [(start, end + self.past_end, kind) for start, end, kind in
                               spans_of(spans or [])])
            for words, spans in cells
        ]  # fmt: skip


def word_spans(table: pa.Table, tokens: str, tags: str) -> WordSpans | None:
    """Return the columns with words and spans of words; ``None`` for tables of other forms.

    ``tokens`` and ``tags`` are the columns that the user chose, or empty.
    """
    lists = [name for name in table.column_names if is_flat_list(table, name)]
    spans = [name for name in table.column_names if holds_spans(table, name)]
    words = tokens or by_name(table.select(lists), TOKEN_NAMES) or next(iter(lists), "")
    span = tags or next(iter(spans), "")
    others = [name for name in lists if name != words]
    tagged = not tags and by_name(table.select(others), TAG_NAMES) is not None
    if words not in lists or span not in spans or tagged:
        return None
    return WordSpans(words, span, _past_end(WordSpans(words, span, 0)._rows(table)))


def _past_end(rows: Sequence[tuple[list[str], list[Span]]]) -> int:
    behind = any(end == len(words) for words, spans in rows for _, end, _ in spans)
    alone = any(start == end for _, spans in rows for start, end, _ in spans)
    return int(alone or not behind)


def _fault(words: Sequence[str], spans: Sequence[Span]) -> str | None:
    if not words:
        return "there are no words"
    before = 0
    for start, end, kind in spans:
        if not 0 <= start < end <= len(words) or not kind:
            return "an entity has no type or none of the words"
        if start < before:
            return "its entities overlap"
        before = end
    return None


def _tags(words: Sequence[str], spans: Sequence[Span]) -> list[str]:
    tags = [OUTSIDE] * len(words)
    for start, end, kind in spans:
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tags
