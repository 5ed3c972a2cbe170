"""Names of images with a class behind them, as competitions have in one column: ``a.jpg_Fish``."""

from __future__ import annotations

import re
from dataclasses import replace

import pyarrow as pa

from engine.data.image_suffixes import SUFFIXES
from engine.data.raw import RawData
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.columns import is_text

_NAMED = re.compile(rf"(?i)(.+\.(?:{'|'.join(SUFFIXES)}))_(\w.*)")
_TRIED = 200


def with_names_apart(raw: RawData) -> RawData:
    """Return the data with a column of images and one of classes, where one column has both.

    They are called as the two parts of its name, such as ``ImageId_ClassId``.
    """
    name = next(filter(lambda name: _has_both(raw.train, name), raw.train.column_names), "")
    if not name:
        return raw
    image, _, label = name.partition("_")
    label = label or "class"
    splits = {
        split: _apart(table, name, image, label) if name in table.column_names else table
        for split, table in raw.splits.items()
    }
    why = f"{plain(name, 40)} holds names of images with a class behind an underscore"
    note = Note(why, plain(name, 40), f"{plain(image, 40)}, {plain(label, 40)}", kind="converted")
    return replace(raw, splits=splits, notes=(*raw.notes, note))


def _has_both(table: pa.Table, name: str) -> bool:
    if not is_text(table, name):
        return False
    some = table[name].slice(0, _TRIED).drop_null().to_pylist()
    return bool(some) and all(map(_NAMED.fullmatch, some))


def _apart(table: pa.Table, name: str, image: str, label: str) -> pa.Table:
    found = [_NAMED.fullmatch(cell or "") for cell in table[name].to_pylist()]
    place = table.column_names.index(name)
    for number, title in ((2, label), (1, image)):
        values = pa.array([match and match[number] for match in found], pa.string())
        table = table.add_column(place, title, values)
    kept = [position for position in range(table.num_columns) if position != place + 2]
    return table.select(kept)
