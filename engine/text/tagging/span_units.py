"""Spans whose places count something else than characters, which their own texts show.

Tools in a browser count units of UTF-16, others bytes: behind the first emoji of a text, each of
their spans is of other words, and nothing else shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pyarrow as pa

from engine.data.raw import RawData
from engine.data.readers.spans import SPANS
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.answers.text_units import CHARACTERS, UNITS, Unit
from engine.text.tagging.spans import Span, spans_of

_There = Callable[[str, Span, str], bool]
"""Whether the text of a span is at its place."""
_Convert = Callable[[str, Span], Mapping[str, Any]]
_TEXTS = ("text", "word", "surface", "mention", "value")


def spans_in_characters(raw: RawData, text: str, spans: str) -> RawData:
    """Return the data with spans in characters, and notes on splits that count otherwise.

    Spans that bring no text of their own are left as they are. Those whose text is not at their
    place are counted. Ends may be the last character of a span, as some programs write them.
    """
    splits, notes = dict(raw.splits), []
    for split, table in raw.splits.items():
        written = _text_key(table, spans)
        if not written:
            continue
        last = _names_last(table, text, spans, written)
        unit = CHARACTERS if last else _unit_of(table, text, spans, written)
        there: _There = _is_up_to if last else partial(_is_there, unit)
        if last or unit != CHARACTERS:
            convert: _Convert = _ending_behind if last else partial(_as_span, unit)
            splits[split] = _converted(table, text, spans, convert)
            how = f"the places of the spans in {split} count {unit.name}; they are converted to "
            why = f"{how}characters"
            if last:
                how = f"the spans in {split} end with their last character; they are converted to "
                why = f"{how}end behind it"
            notes.append(Note(why, plain(spans, 40), kind="converted"))
        places = _places(table, text, spans, written)
        wrong = sum(place[1][0] >= 0 and not there(*place) for place in places)
        if wrong:
            why = f"{split}: {counted(wrong, 'span')} whose text is not at its place"
            notes.append(Note(why, plain(spans, 40), rows=wrong))
    return raw.with_splits(splits, *notes) if notes else raw


def _converted(table: pa.Table, text: str, spans: str, convert: _Convert) -> pa.Table:
    """Return the table with each of its spans converted, by the text that it is of."""
    cells = [
        [convert(whole, span) for span in spans_of(cell)]
        for whole, cell in _rows(table, text, spans)
    ]
    column = pa.array(cells, SPANS)
    return table.set_column(table.column_names.index(spans), spans, column)


def _names_last(table: pa.Table, text: str, spans: str, written: str) -> bool:
    """Return whether most spans end with their last character, rather than behind it."""
    behind, last, count = 0, 0, 0
    for whole, span, own in _places(table, text, spans, written):
        if span[0] >= 0:
            count += 1
            behind += _is_there(CHARACTERS, whole, span, own)
            last += _is_up_to(whole, span, own)
    return last > behind and 2 * last > count


def _text_key(table: pa.Table, spans: str) -> str:
    """Return the key under which spans have their own text; empty where they have none."""
    if spans not in table.column_names:
        return ""
    item = table.schema.field(spans).type.value_type
    texts = [field.name for field in item if pa.types.is_string(field.type)]
    return next((name for name in _TEXTS if name in texts), "")


def _rows(table: pa.Table, text: str, spans: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for whole, cell in zip(table[text].to_pylist(), table[spans].to_pylist(), strict=True):
        yield whole or "", cell or []


def _places(
    table: pa.Table, text: str, spans: str, written: str
) -> Iterator[tuple[str, Span, str]]:
    """Yield the text of a row, the place of each of its spans, and the text of that span."""
    for whole, cell in _rows(table, text, spans):
        for one in cell:
            if one.get(written):
                yield whole, spans_of([one])[0], one[written]


def _is_there(unit: Unit, whole: str, span: Span, own: str) -> bool:
    start, end = unit.characters(whole, span[0]), unit.characters(whole, span[1])
    return whole[start:end].strip() == own.strip()


def _is_up_to(whole: str, span: Span, own: str) -> bool:
    return whole[span[0] : span[1] + 1] == own


def _unit_of(table: pa.Table, text: str, spans: str, written: str) -> Unit:
    """Return the unit in which most spans have their text; characters if as many do."""
    hits, count = dict.fromkeys(UNITS, 0), 0
    for whole, span, own in _places(table, text, spans, written):
        if span[0] < 0 or (whole.isascii() and "\n" not in whole):
            continue  # all units are the same
        count += 1
        for unit in UNITS:
            hits[unit] += _is_there(unit, whole, span, own)
    best = max(UNITS, key=lambda unit: hits[unit])
    return best if 2 * hits[best] > count else CHARACTERS


def _ending_behind(whole: str, span: Span) -> Mapping[str, Any]:
    del whole
    start, end, kind = span
    return {"start": start, "end": end if end < 0 else end + 1, "label": kind}


def _as_span(unit: Unit, whole: str, span: Span) -> Mapping[str, Any]:
    start, end, kind = span
    if start < 0 or end < 0:
        return {"start": start, "end": end, "label": kind}
    return {
        "start": unit.characters(whole, start), "end": unit.characters(whole, end), "label": kind,
    }  # fmt: skip
