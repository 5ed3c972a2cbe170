"""The table of notes on data as lines of any width, for screens and for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from rich.cells import cell_len, chop_cells, set_cell_size

from engine.reports.note import Kind, Note
from engine.reports.note_table import HEADINGS, cells

_GAP = "  "
_WIDE = 110
"""Cells from which the setting that changes a note has a column of its own."""
_MOST = (18, 24, 0, 11, 34)
"""Cells of each column at most; the reason takes the rest of the line."""
_MOST_NARROW = (14, 16, 0, 9)
_WHY = 2
_LEAST_WHY = 20


@dataclass(frozen=True, slots=True)
class NoteLine:
    """A line of the table, and the kind of the note on it; the headings have none."""

    text: str
    kind: Kind | None = None


def note_lines(notes: Sequence[Note], width: int) -> Iterator[NoteLine]:
    """Yield the table in lines of at most ``width`` cells; long cells are wrapped."""
    if not notes:
        return
    wide = width >= _WIDE
    rows = [cells(note if wide else _with_change(note))[: None if wide else -1] for note in notes]
    headings = HEADINGS if wide else HEADINGS[:-1]
    widths = _widths([headings, *rows], _MOST if wide else _MOST_NARROW, width)
    shown = [place for place, cell in enumerate(widths) if cell]
    if len(shown) > 1:  # sentences alone need no heading
        yield from (NoteLine(text) for text in _lines(headings, widths, shown))
    for note, row in zip(notes, rows, strict=True):
        yield from (NoteLine(text, note.kind) for text in _lines(row, widths, shown))


def _with_change(note: Note) -> Note:
    """Return a note whose reason says what changes it."""
    return replace(note, why=f"{note.why} [{note.change}]") if note.change else note


def _widths(rows: Sequence[Sequence[str]], most: Sequence[int], width: int) -> list[int]:
    """Return the cells of each column; of one that is empty below its heading, 0."""
    widths = [
        min(limit, max(map(cell_len, column))) if any(column[1:]) else 0
        for column, limit in zip(zip(*rows, strict=True), most, strict=True)
    ]
    gaps = len(_GAP) * sum(map(bool, widths))
    widths[_WHY] = max(_LEAST_WHY, width - sum(widths) - gaps)
    return widths


def _lines(row: Sequence[str], widths: Sequence[int], shown: Sequence[int]) -> Iterator[str]:
    columns = [_wrapped(row[place], widths[place]) for place in shown]
    for parts in zip_longest(*columns, fillvalue=""):
        sized = [
            set_cell_size(part, widths[place]) for part, place in zip(parts, shown, strict=True)
        ]
        yield _GAP.join(sized).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a cell, cut between words where that is possible."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(longer) <= width:
            lines[-1] = longer
            continue
        pieces = _chopped(word, width)
        lines = [*lines, *pieces] if lines[-1] else pieces
    return lines


def _chopped(word: str, width: int) -> list[str]:
    """Return the pieces of a long word: the name and the value of a setting, if both fit."""
    name, equals, value = word.partition("=")
    halves = [name + equals, value]
    fits = bool(value) and all(cell_len(half) <= width for half in halves)
    return halves if fits else chop_cells(word, width)
