"""Positions of answers that count something else than characters, as other programs write them.

Programs in other languages count bytes or units of UTF-16; others read files in another form of
line ends than they are kept in. Such a position may be that of another answer by chance, so all
positions of a split tell together what they count.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from engine.data.raw import RawData
from engine.data.readers.squad import ANSWERS
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.answers.answers import NO_POSITION, Answer, given_answers
from engine.text.answers.text_units import CHARACTERS, UNITS, Unit


def in_characters(raw: RawData, context: str, answers: str) -> RawData:
    """Return the data with positions in characters, and a note on splits that count otherwise."""
    splits, notes = dict(raw.splits), []
    for split, table in raw.splits.items():
        if not {context, answers} <= set(table.column_names):
            continue
        unit = _unit_of(table, context, answers)
        if unit != CHARACTERS:
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


def _unit_of(table: pa.Table, context: str, answers: str) -> Unit:
    """Return the unit in which most answers are at their position; characters if as many are."""
    hits, count = dict.fromkeys(UNITS, 0), 0
    for text, given in _rows(table, context, answers):
        if text.isascii() and "\n" not in text:
            continue  # all units are the same
        for answer, start in given:
            count += start > 0
            for unit in UNITS if start > 0 else ():
                hits[unit] += text.startswith(answer, unit.characters(text, start))
    best = max(UNITS, key=lambda unit: hits[unit])
    return best if 2 * hits[best] > count else CHARACTERS


def _converted(table: pa.Table, context: str, answers: str, unit: Unit) -> pa.Table:
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
