"""Classes of other splits of a table in the spelling of the training rows."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from engine.data.raw import TRAIN, RawData, class_names
from engine.data.tables.categories import respelled
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.classes.labels import named_column


def with_known_spelling(raw: RawData, label: str) -> RawData:
    """Return the data with labels such as ``1`` read as ``true`` where training rows have that.

    Lists of labels, and numbers whose names are known, stay as they are.
    """
    kind = raw.train.schema.field(label).type
    if pa.types.is_nested(kind) or class_names(raw.train, label) is not None:
        return raw
    classes = named_column(raw.train, label).unique().drop_null().to_pylist()
    splits, notes = dict(raw.splits), []
    for split, table in raw.splits.items():
        if split == TRAIN or label not in table.column_names:
            continue
        given = named_column(table, label)
        read = respelled(given, classes, labels=True)
        if not read.equals(given):
            place = table.column_names.index(label)
            splits[split] = table.set_column(place, label, read)
            notes.append(_note(split, label, given, read))
    return raw.with_splits(splits, *notes) if notes else raw


def _note(split: str, label: str, given: pa.ChunkedArray, read: pa.ChunkedArray) -> Note:
    changed = pc.fill_null(pc.not_equal(given, read), False)
    pairs = dict(
        zip(given.filter(changed).to_pylist(), read.filter(changed).to_pylist(), strict=True)
    )
    shown = ", ".join(f"{plain(old, 20)} is {plain(new, 20)}" for old, new in pairs.items())
    count = int(pc.sum(changed).as_py())
    only_case = all(old.lower() == new.lower() for old, new in pairs.items())
    return Note(
        f"{counted(count, 'label')} of {split} in another spelling than in training: {shown}",
        column=plain(label, 60),
        read_as="the training labels",
        rows=count,
        kind="converted" if only_case else "doubt",
    )
