"""The table of notes on data in colour, the serious ones first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from textual.content import Content

from engine.reports.note import Kind, Note
from tui.format.note_lines import note_lines
from tui.format.text import literal

_STYLES: Mapping[Kind | None, str] = {
    None: "$text-muted",
    "lost": "bold $text-error",
    "dropped": "$text-warning",
    "doubt": "$text-warning",
    "converted": "",
}


def note_contents(notes: Sequence[Note], width: int) -> Iterator[Content]:
    """Yield the lines of the table, at most ``width`` cells wide."""
    for line in note_lines(notes, width):
        yield literal(line.text, len(line.text)).stylize(_STYLES[line.kind])
