"""Predictions as text to read, formatted by the form of their records, whatever the task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from textual.content import Content

from tui.format.captions import caption_width
from tui.format.numbers import number
from tui.format.text import literal

Record = Mapping[str, Any]

AT_LENGTH = 3
"""Up to this number, records are shown in full, more with a line each."""
MOST = 50
"""More lines than these are counted only."""

WIDE_BAR, NARROW_BAR = 24, 8
"""Cells of the bar of a score that is one."""

_MUTED = "$foreground 60%"
_NAME = 24
_TEXT = 5000
_NUMBERS = 6
"""Numbers of a vector that are shown."""


def answer_lines(
    records: Sequence[Record], bar: int = WIDE_BAR, count: int | None = None
) -> list[Content]:
    """Records one below the other: a few at length, many with a line each.

    They may be the first of ``count``.
    """
    if not records:
        return [Content.styled("no answer", _MUTED)]
    if len(records) <= AT_LENGTH:
        return [line for record in records for line in record_lines(record, bar)]
    count = len(records) if count is None else count
    width = len(str(min(count, MOST)))
    shown = records[:MOST]
    lines: list[Content] = []
    if rows := _columns(shown):
        lines.append(Content(" " * (width + 2)) + rows.pop(0).stylize(_MUTED))
    lines += [
        Content.styled(f"{place:>{width}}  ", _MUTED) + row
        for place, row in enumerate(rows or map(_brief, shown), 1)
    ]
    if count > MOST:
        lines.append(Content.styled(f"… and {count - MOST:,} more", _MUTED))
    return lines


def record_lines(record: Record, bar: int = WIDE_BAR) -> list[Content]:
    """All that is in one record: scores as bars, entities in their sentence, else by name."""
    match record:
        case {"tokens": [*words], "entities": [*entities]}:
            return [_sentence(words, entities)]
        case {"nearest": [*found]}:
            return list(_nearest(found))
        case {"embedding": [*vector]}:
            return [_vector(vector)]
        case {"scores": dict()}:
            head = _chosen(record).stylize("bold") + _of_what(record).stylize(_MUTED)
            return [head, *_bars(record["scores"], bar)]
        case _:
            return list(_by_name(record))


def _chosen(record: Record) -> Content:
    """The class, or all the classes, that were found."""
    labels = record["labels"] if "labels" in record else [record.get("label")]
    return literal(", ".join(map(str, labels)) or "—")


def _of_what(record: Record) -> Content:
    """Return the input of a prediction, where the record has it."""
    known = [text for name, text in record.items() if name != "label" and isinstance(text, str)]
    return literal("".join(f"   {text}" for text in known), _TEXT)


def _bars(scores: Mapping[str, float], most: int) -> Iterator[Content]:
    width = caption_width(scores, _NAME)
    for name, score in scores.items():
        cells = max(0.0, min(1.0, score)) * most
        bar = "█" * int(cells) + ("▌" if cells % 1 >= 0.5 else "")
        yield (
            Content("  ") + _padded(name, width) + Content(f"  {score:6.1%}  ")
            + Content(bar).stylize("$primary")
        )  # fmt: skip


def _nearest(found: Sequence[Mapping[str, Any]]) -> Iterator[Content]:
    """Yield the texts that are the nearest to a typed one, each behind its cosine."""
    for place in found:
        cosine = Content.styled("cosine ", _MUTED)
        cosine += Content.styled(f"{place['score']:6.3f}  ", "$primary")
        yield cosine + literal(place["text"], _TEXT)


def _vector(vector: Sequence[float]) -> Content:
    """Return the length of a vector, and its first numbers."""
    first = ", ".join(map(number, vector[:_NUMBERS])) + ", …" * (len(vector) > _NUMBERS)
    return literal(f"{len(vector):,} numbers: {first}")


def _padded(name: str, width: int) -> Content:
    return literal(name).truncate(width, ellipsis=True, pad=True)


def _sentence(words: Sequence[str], entities: Sequence[Mapping[str, Any]]) -> Content:
    """The words, those of an entity together in bold with its type behind."""
    parts: list[Content] = []
    done = 0
    for entity in sorted(entities, key=lambda entity: entity["start"]):
        parts += [literal(word) for word in words[done : entity["start"]]]
        found = literal(" ".join(words[entity["start"] : entity["end"]]), _TEXT)
        parts.append(found.stylize("bold underline"))
        parts.append(literal(f"[{entity['type']}]", 40).stylize("$primary"))
        done = entity["end"]
    parts += [literal(word) for word in words[done:]]
    return Content(" ").join(parts)


def _by_name(record: Record) -> Iterator[Content]:
    """Each value behind its name; where there is only one, the value alone."""
    width = 0 if len(record) == 1 else caption_width(record, _NAME)
    for name, value in record.items():
        caption = _padded(name, width) + Content("  ") if width else Content("")
        for line in _text_lines(value):
            yield caption.stylize(_MUTED) + line.stylize("" if width else "bold")
            caption = Content(" " * caption.cell_length)


def _text_lines(value: Any) -> list[Content]:
    lines = _text(value)[:_TEXT].splitlines() or ["—"]
    return [literal(line, _TEXT) for line in lines]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value)


def _columns(records: Sequence[Record]) -> list[Content]:
    """Names and values in columns; empty unless all records are rows of the same names."""
    names = [*records[0]]
    if len(names) < 2 or not all([*record] == names and _is_row(record) for record in records):
        return []
    numeric = [isinstance(value, int | float) for value in records[0].values()]
    rows = [names, *([_text(value) or "—" for value in record.values()] for record in records)]
    texts = [[literal(text).truncate(_NAME, ellipsis=True) for text in row] for row in rows]
    widths = [max(text.cell_length for text in column) for column in zip(*texts, strict=True)]
    return [
        Content("  ").join(
            text.pad_left(room) if right else text.pad_right(room)
            for text, room, right in zip(row, _room(row, widths), numeric, strict=True)
        )
        for row in texts
    ]


def _room(row: Sequence[Content], widths: Sequence[int]) -> Iterator[int]:
    return (width - text.cell_length for text, width in zip(row, widths, strict=True))


def _is_row(record: Record) -> bool:
    """Whether a record has numbers, and beside them at most short texts on a line."""
    values = [*record.values()]
    texts = [value for value in values if isinstance(value, str)]
    others = all(value is None or isinstance(value, int | float | str) for value in values)
    short = all(len(text) <= _NAME and "\n" not in text for text in texts)
    return others and short and any(isinstance(value, float) for value in values)


def _brief(record: Record) -> Content:
    """One line of a record: what was found, without the ways it might have been."""
    match record:
        case {"tokens": [*words], "entities": [*entities]}:
            return _sentence(words, entities)
        case {"nearest": [first, *_]}:
            return next(_nearest([first]))
        case {"embedding": [*vector]}:
            return _vector(vector)
        case _:
            texts = [_text(value) for value in record.values() if not isinstance(value, dict)]
            return literal("  ".join(text or "—" for text in texts), _TEXT)
