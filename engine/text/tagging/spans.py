"""Texts whose entities are given as spans of characters, as words with tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa

from engine.text.answers.answers import NO_POSITION, position_of
from engine.text.columns import by_name, chosen, is_flat_list, is_list, is_text
from engine.text.tagging.columns import TAG_NAMES, TOKEN_NAMES
from engine.text.tagging.scheme import OUTSIDE
from engine.text.tokens.words import word_pattern

_TEXT_NAMES = ("text", "sentence", "content", "data", "document", "source_text", "full_text")
SPAN_NAMES = ("label", "labels", "entities", "spans", "ner", "annotations", "tags")
_STARTS = ("start", "start_offset", "begin")
_ENDS = ("end", "end_offset")
_KINDS = ("label", "type", "tag", "entity", "entity_type", "entity_group", "category", "labels")

Span = tuple[int, int, str]
"""First character, the one after the last, and type."""


@dataclass(frozen=True, slots=True)
class SpanColumns:
    """The columns of a table with texts and the spans of their entities."""

    text: str
    spans: str

    def faults(self, table: pa.Table) -> list[str | None]:
        """Return for each row what keeps its spans from being tags of words, or ``None``."""
        if self.spans not in table.column_names:
            return ["there are no entities"] * table.num_rows
        given = table[self.spans].is_valid().to_pylist()
        return [
            _fault(*row) if valid else "there is no list of entities"
            for row, valid in zip(self._rows(table), given, strict=True)
        ]

    def cut_words(self, table: pa.Table) -> int:
        """Return the number of words in the middle of which an entity begins or ends."""
        return sum(
            len(_pieces(text, spans)) - len(_pieces(text, [])) for text, spans in self._rows(table)
        )

    def sentences(self, table: pa.Table) -> pa.Table:
        """Return the table with words and tags in the place of texts and spans."""
        tagged = [_tagged(text, spans) for text, spans in self._rows(table)]
        lists = pa.list_(pa.string())
        columns = {self.text: [words for words, _ in tagged]}
        if self.spans in table.column_names:
            columns[self.spans] = [tags for _, tags in tagged]
        return pa.table({name: pa.array(column, lists) for name, column in columns.items()})

    def _rows(self, table: pa.Table) -> list[tuple[str, list[Span]]]:
        texts = [text or "" for text in table[chosen(table, self.text, "task.tokens")].to_pylist()]
        if self.spans not in table.column_names:
            return [(text, []) for text in texts]
        cells = table[self.spans].to_pylist()
        return [(text, spans_of(cell or [])) for text, cell in zip(texts, cells, strict=True)]


def span_columns(table: pa.Table, tokens: str, tags: str) -> SpanColumns | None:
    """Return the columns with texts and spans, or ``None`` where words and tags are lists.

    ``tokens`` and ``tags`` are the columns that the user chose, or empty.
    """
    flat = table.select([name for name in table.column_names if is_flat_list(table, name)])
    if not tags and by_name(flat, TOKEN_NAMES) and by_name(flat, TAG_NAMES):
        return None
    spans = [name for name in table.column_names if holds_spans(table, name)]
    texts = [name for name in table.column_names if is_text(table, name)]
    text = tokens or by_name(table.select(texts), _TEXT_NAMES) or ""
    span = tags or by_name(table.select(spans), SPAN_NAMES) or next(iter(spans), "")
    return SpanColumns(text, span) if text in texts and span in spans else None


def holds_spans(table: pa.Table, name: str) -> bool:
    """Whether a column has lists of objects with a begin, an end and a type."""
    if not is_list(table, name):
        return False
    item = table.schema.field(name).type.value_type
    keys = [field.name for field in item] if pa.types.is_struct(item) else []
    return all(any(key in keys for key in names) for names in (_STARTS, _ENDS, _KINDS))


def spans_of(cell: Sequence[Mapping[str, Any]]) -> list[Span]:
    """Return the spans of a cell in their order; what is missing in one is −1 or empty."""
    return sorted(
        (
            position_of(_first(span, _STARTS, NO_POSITION)),
            position_of(_first(span, _ENDS, NO_POSITION)),
            _kind(_first(span, _KINDS, "")),
        )
        for span in cell
    )


def _kind(value: Any) -> str:
    """Return a type, which some tools write as a list with one name."""
    if isinstance(value, list):
        return str(value[0]) if len(value) == 1 else ""
    return str(value)


def _first(span: Mapping[str, Any], names: Sequence[str], missing: Any) -> Any:
    return next((span[name] for name in names if span.get(name) is not None), missing)


def _fault(text: str, spans: Sequence[Span]) -> str | None:
    if not text.strip():
        return "the text is empty"
    before = 0
    for start, end, kind in spans:
        if not 0 <= start < end <= len(text) or not kind or not text[start:end].strip():
            return "an entity has no type or no characters of the text"
        if start < before:
            return "its entities overlap"
        before = end
    return None


def _pieces(text: str, spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Return the words of a text as spans of characters, cut where an entity begins or ends."""
    borders = sorted({place for start, end, _ in spans for place in (start, end)})
    pieces = []
    for match in word_pattern().finditer(text):
        inside = [place for place in borders if match.start() < place < match.end()]
        edges = [match.start(), *inside, match.end()]
        pieces += list(pairwise(edges))
    return pieces


def _tagged(text: str, spans: Sequence[Span]) -> tuple[list[str], list[str]]:
    words, tags = [], []
    begun: set[Span] = set()
    for start, end in _pieces(text, spans):
        words.append(text[start:end])
        owner = next((span for span in spans if span[0] <= start < span[1]), None)
        if owner is None:
            tags.append(OUTSIDE)
            continue
        tags.append(f"{'I' if owner in begun else 'B'}-{owner[2]}")
        begun.add(owner)
    return words, tags
