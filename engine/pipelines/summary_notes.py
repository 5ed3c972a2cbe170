"""Notes that follow from the summary of the rows that are used, whatever the task."""

from __future__ import annotations

from collections.abc import Iterator

from engine.data.raw import TEST, VALIDATION
from engine.reports.counted import counted
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note
from engine.text.classes.missing import missing_class, why_missing

_ROUGH = 30
"""In fewer rows, one more that is right moves a share by several per cent."""


def with_usual_notes(summary: DataSummary) -> DataSummary:
    """Return the summary with notes on splits of few rows, and on a class for missing labels."""
    return summary.with_notes(*_few_rows(summary), *_missing_labels(summary))


def _few_rows(summary: DataSummary) -> Iterator[Note]:
    changes = {note.change for note in summary.notes}
    for split in (VALIDATION, TEST):
        rows = summary.rows.get(split, _ROUGH)
        if rows >= _ROUGH:
            continue
        why = f"metrics on {split} are uncertain: it has only {counted(rows, 'row')}"
        if rows == 0:
            why = f"there are no metrics on {split}: it has no rows"
        fraction = f"data.{split}_fraction"  # changes nothing where the source has the split
        yield Note(why, rows=rows, change=fraction if fraction in changes else "")


def _missing_labels(summary: DataSummary) -> Iterator[Note]:
    classes = summary.classes or {}
    names = [name for name, count in classes.items() if count]
    if code := missing_class(names):
        target = next((c.name for c in summary.columns if c.role in ("target", "label")), "")
        why = why_missing(code, names)
        yield Note(why, target, "class", classes[code], "task.class_names")
