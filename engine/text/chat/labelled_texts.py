"""Texts in parts of which each says whether it is learned, as Axolotl's ``input_output``.

``{"segments": [{"label": false, "text": "Q: 1 + 1\\nA:"}, {"label": true, "text": " 2</s>"}]}``: no
template, no beginning and no end is added, and each part is made into tokens by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa
from typing_extensions import override

from engine.files.sanitize import plain
from engine.text.chat.prompts import Marked, Prompt, Prompts, Row, text_of
from engine.text.tokens.literals import Span
from engine.text.written_lists import listed

SEGMENTS = "segments"
"""Axolotl's name of the column, and the role of it."""
_LEARNED = {"true": True, "1": True, "false": False, "0": False}
_LOOKED_AT = 100
"""Rows that show whether a column holds labelled texts."""
_Segment = tuple[str, bool]
"""A text, and whether it is learned."""


def holds_segments(table: pa.Table, name: str) -> bool:
    """Return whether one of the first values is a list of labelled texts."""
    return any(fault_of_segments(value) is None for value in table[name][:_LOOKED_AT].to_pylist())


def fault_of_segments(value: Any) -> str | None:
    """Return the reason why nothing can be learned of a value, or ``None``."""
    given = listed(value)
    if not given:
        return "there are no segments"
    for one in given:
        if not isinstance(one, Mapping) or not isinstance(one.get("text"), str):
            return "a segment has no text"
        if _learned(one) is None:
            return f"a segment has the label {plain(one.get('label'), 40)}, not true or false"
    if not any(learned and text.strip() for text, learned in _segments(value)):
        return "no segment with a text has the label true"
    return None


def whole_text(row: Row) -> str:
    """Return the text of all segments."""
    return "".join(text for text, _ in _segments(row[SEGMENTS]))


@dataclass(frozen=True)
class LabelledTexts(Prompts):
    """Texts as they stand."""

    @override
    def prompt(self, row: Row) -> Prompt:
        """Return what stands before the last segments that are learned; a text as it is."""
        value = row.get(SEGMENTS, row.get("prompt"))
        if fault_of_segments(value) is not None:
            return Prompt(text_of(value), "")
        given = _segments(value)
        while given and not given[-1][1]:
            given.pop()
        while given and given[-1][1]:
            given.pop()
        text, spans = _joined(given)
        return Prompt(text, "", _borders(spans))

    @override
    def marked(self, row: Row) -> Sequence[Marked]:
        given = _segments(row[SEGMENTS])
        text, spans = _joined(given)
        learned = [span for span, (_, is_learned) in zip(spans, given, strict=True) if is_learned]
        return [Marked(text, learned, literals=_borders(spans), exact=True)]


def _segments(value: Any) -> list[_Segment]:
    return [(one["text"], bool(_learned(one))) for one in listed(value) or () if one["text"]]


def _learned(segment: Mapping[str, Any]) -> bool | None:
    return _LEARNED.get(str(segment.get("label")).strip().lower())


def _joined(segments: Sequence[_Segment]) -> tuple[str, list[Span]]:
    """Return the texts as one, and the place of each in it."""
    places = accumulate((len(text) for text, _ in segments), initial=0)
    return "".join(text for text, _ in segments), list(pairwise(places))


def _borders(spans: Sequence[Span]) -> list[Span]:
    """Return empty literals, over which no token reaches."""
    return [(begin, begin) for begin, _ in spans[1:]]
