"""The one table of conversions, omissions and doubts, from the record of a data summary.

Runs of earlier versions have sentences in place of notes, and rows left out (skips) have a list of
their own in the record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, get_args

from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Kind, Note

HEADINGS = ("column", "read as", "why", "rows", "how to change it")
FEW = 12
"""Notes that are shown where there is no room for all."""
_KINDS: tuple[Kind, ...] = get_args(Kind)
_LEFT_OUT = ("lost", "dropped")
_LONGEST = 400


def notes_in(summary: Mapping[str, Any] | None) -> list[Note]:
    """Return all notes of a summary's record, the most serious first.

    ``None`` is the summary of a run whose data was not read yet.
    """
    known = summary or {}
    skipped = map(_skipped, filter(_is_record, known.get("skips") or ()))
    notes = [*skipped, *map(note_of, known.get("notes") or ())]
    return sorted(notes, key=_rank)


def _rank(note: Note) -> int:
    """Return the place of a note: columns that are left out come after doubts, rows before."""
    order = ("lost", "doubt", "dropped", "converted")
    return order.index("doubt" if note.kind == "dropped" and not note.column else note.kind)


def note_of(record: object) -> Note:
    """Return a note as it stands in an event or an answer; a sentence alone is a doubt."""
    if not isinstance(record, Mapping):
        return Note(plain(record, _LONGEST))
    texts = {
        field.name: plain(record[field.name], _LONGEST)
        for field in fields(Note)
        if field.name not in ("rows", "kind") and record.get(field.name)
    }
    rows, kind = record.get("rows"), record.get("kind")
    return Note(
        **{"why": "", **texts},
        rows=rows if isinstance(rows, int) else None,
        kind=kind if kind in _KINDS else "doubt",
    )


def cells(note: Note) -> tuple[str, str, str, str, str]:
    """Return the cells of a note below :data:`HEADINGS`."""
    read_as = note.read_as or ("left out" if note.kind in _LEFT_OUT else "")
    rows = "" if note.rows is None else f"{note.rows:,}"
    return note.column, read_as, note.why, rows, note.change


def tally(notes: Sequence[Note]) -> str:
    """Return how many notes there are by their weight: ``2 omissions, 1 doubt``."""
    left_out = sum(note.kind in _LEFT_OUT for note in notes)
    doubts = sum(note.kind == "doubt" for note in notes)
    rest = len(notes) - left_out - doubts
    parts = ((left_out, "omission"), (doubts, "doubt"), (rest, "conversion"))
    return ", ".join(counted(count, noun) for count, noun in parts if count)


def sentence(note: Note) -> str:
    """Return a note on one line, for a log."""
    subject = f"{note.column}: " if note.column and note.column not in note.why else ""
    change = f" ({note.change} changes it)" if note.change else ""
    return f"{subject}{note.why}{change}"


def left_over(notes: Sequence[Note], run: str) -> Iterator[str]:
    """Yield a line on the notes beyond :data:`FEW`, and where they are."""
    if len(notes) > FEW:
        yield f"and {len(notes) - FEW:,} more: dltui show {run}"


def _skipped(skip: Mapping[str, Any]) -> Note:
    count = skip.get("count")
    example = plain(skip.get("example") or "", 80)
    reason = plain(skip.get("reason") or "", _LONGEST)
    return Note(
        f"{reason} (the first: {example})" if example else reason,
        rows=count if isinstance(count, int) else None,
        kind="dropped",
    )


def _is_record(skip: object) -> bool:
    return isinstance(skip, Mapping)
