"""Splits that lose all their rows: a note for one that was found, an error for a given one."""

from __future__ import annotations

from engine.config.data.base import DataConfig
from engine.data.raw import TEST, VALIDATION, RawData
from engine.errors import DataError
from engine.reports.note import Note

_NONE = ("", "none")


def lost(split: str, why: str, rows: int) -> Note:
    """Return the note on a split of which no row can be used, a sentence on the reason."""
    return Note(why, column=split, rows=rows, kind="lost")


def refuse_lost(raw: RawData, config: DataConfig) -> RawData:
    """Return the data; raise :class:`DataError` where a split that the user named is lost.

    A split that was found by the name of a file is cut from the training rows instead.
    """
    for note in raw.notes:
        # Plug-ins of version 0.1 give sentences in place of notes.
        if isinstance(note, Note) and note.kind == "lost" and note.column in (VALIDATION, TEST):
            fields = (f"{note.column}_path", f"{note.column}_split")
            given = [name for name in fields if getattr(config, name, "") not in _NONE]
            if given:
                raise DataError(
                    f"data.{given[0]}: {note.why}.",
                    "Correct the data, or leave the field empty to cut the split from the "
                    "training rows.",
                )
    return raw
