"""Positions of answers that count something else than characters, as other programs write them.

Programs in other languages count bytes or units of UTF-16; others read files in another form of
line ends than they are kept in. Such a position may be that of another answer by chance, so all
positions of a split tell together what they count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from engine.data.raw import RawData
from engine.data.readers.squad import ANSWERS
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.answers import NO_POSITION, Answer, given_answers


@dataclass(frozen=True, slots=True)
class _Unit:
    """What positions count."""

    name: str
    characters: Callable[[str, int], int]
    """The characters of a text that so many of its units are."""


def _of_bytes(text: str, count: int) -> int:
    return len(text.encode("utf-8", "surrogatepass")[:count].decode("utf-8", "ignore"))


def _of_utf_16(text: str, count: int) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")[: 2 * count].decode("utf-16-le", "ignore"))


def _of_short_line_ends(text: str, count: int) -> int:
    if "\r\n" not in text:
        return count
    return len(text.replace("\r\n", "\n")[:count].replace("\n", "\r\n"))


def _of_long_line_ends(text: str, count: int) -> int:
    if "\r\n" in text:
        return count
    return len(text.replace("\n", "\r\n")[:count].replace("\r\n", "\n"))


_CHARACTERS = _Unit("characters", lambda text, count: count)
_UNITS = (
    _CHARACTERS,
    _Unit("bytes", _of_bytes),
    _Unit("units of UTF-16", _of_utf_16),
    _Unit("line ends of two characters as one", _of_short_line_ends),
    _Unit("line ends as two characters", _of_long_line_ends),
)


def in_characters(raw: RawData, context: str, answers: str) -> RawData:
    """Return the data with positions in characters, and a note on splits that count otherwise."""
    splits, notes = dict(raw.splits), []
    for split, table in raw.splits.items():
        if not {context, answers} <= set(table.column_names):
            continue
        unit = _unit_of(table, context, answers)
        if unit != _CHARACTERS:
            splits[split] = _converted(table, context, answers, unit)
            why = (
                f"the positions of the answers in {split} count {unit.name}; they are converted to "
                "characters"
            )
            notes.append(Note(why, plain(answers, 40), kind="converted"))
    return raw.with_splits(splits, *notes)


def _rows(table: pa.Table, context: str, answers: str) -> Iterator[tuple[str, list[Answer]]]:
    for text, value in zip(table[context].to_pylist(), table[answers].to_pylist(), strict=True):
        yield text or "", given_answers(value)


def _unit_of(table: pa.Table, context: str, answers: str) -> _Unit:
    """Return the unit in which most answers are at their position; characters if as many are."""
    hits, count = dict.fromkeys(_UNITS, 0), 0
    for text, given in _rows(table, context, answers):
        if text.isascii() and "\n" not in text:
            continue  # all units are the same
        for answer, start in given:
            count += start > 0
            for unit in _UNITS if start > 0 else ():
                hits[unit] += text.startswith(answer, unit.characters(text, start))
    best = max(_UNITS, key=lambda unit: hits[unit])
    return best if 2 * hits[best] > count else _CHARACTERS


def _converted(table: pa.Table, context: str, answers: str, unit: _Unit) -> pa.Table:
    cells = [
        {
            "text": [answer for answer, _ in given],
            "answer_start": [
                unit.characters(text, start) if start > NO_POSITION else NO_POSITION
                for _, start in given
            ],
        }
        for text, given in _rows(table, context, answers)
    ]
    place = table.column_names.index(answers)
    return table.set_column(place, answers, pa.array(cells, ANSWERS))
