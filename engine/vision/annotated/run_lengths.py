"""Masks in a column of run lengths, as competitions hand them out: ``1 3 10 5``.

A row is one object; several rows, or a column of classes, make the mask of an image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from engine.data.boxes.records import ONLY_CLASS, Tally
from engine.data.image_limits import ImageFault
from engine.data.image_record import IMAGE_RECORD, of_bytes, of_file
from engine.data.images import upright_size
from engine.data.mask_files import with_mask_classes
from engine.data.outlines import BACKGROUND, Region, classes_of, png_of
from engine.data.raw import RawData
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.columns import is_text

_RUNS = re.compile(r"\s*\d+\s+\d+(?:\s+\d+\s+\d+)*\s*")
_CLASSES = ("class", "classid", "class_id", "label", "category", "category_id")
_TRIED = 200


def run_column(table: pa.Table, chosen: str) -> str:
    """Return the column of run lengths: as chosen, else by its content; empty where none is."""
    names = [chosen] if chosen else table.column_names
    return next((name for name in names if name in table.column_names and _holds(table, name)), "")


def _holds(table: pa.Table, name: str) -> bool:
    if not is_text(table, name):
        return False
    cells = [cell for cell in table[name].slice(0, _TRIED).to_pylist() if cell and cell.strip()]
    return bool(cells) and all(map(_RUNS.fullmatch, cells))


def with_drawn_masks(raw: RawData, image: str, runs: str, mask: str) -> RawData:
    """Return one row an image with a ``mask`` that is drawn from the column ``runs``.

    Pixels are counted from 1, down each column; paths in the column ``image`` are whole. An image
    whose rows have no runs is background.
    """
    label = next((name for name in raw.train.column_names if name.lower() in _CLASSES), "")
    given = raw.train[label].to_pylist() if label else [ONLY_CLASS]
    classes, tally = classes_of(set(map(_name, given)) - {""}), Tally()
    splits = {
        split: _drawn(table, (image, runs, label, mask), classes, tally)
        for split, table in raw.splits.items()
    }
    before, after = (sum(t.num_rows for t in s.values()) for s in (raw.splits, splits))
    why = f"the run lengths of {counted(before, 'row')} are drawn as masks of "
    why += f"{counted(after, 'image')}; other pixels are {BACKGROUND}"
    note = Note(why, plain(runs, 40), "masks", before, kind="converted")
    numbered = [f"{number}={name}" for number, name in enumerate(classes)]
    return with_mask_classes(raw.with_splits(splits, note, *tally.notes()), numbered)


def _drawn(
    table: pa.Table, names: tuple[str, str, str, str], classes: Sequence[str], tally: Tally
) -> pa.Table:
    image, runs, label, mask = names
    regions: dict[str, list[Region]] = {}
    given = table[runs].to_pylist() if runs in table.column_names else [None] * table.num_rows
    labels = table[label].to_pylist() if label in table.column_names else None
    for row, path in enumerate(table[image].to_pylist()):
        own = regions.setdefault(path, [])
        name = _name(labels[row]) if labels else ONLY_CLASS
        if not (written := (given[row] or "").strip()):
            continue
        if not _RUNS.fullmatch(written):
            tally.add("a cell does not hold run lengths", path)
        elif name not in classes:
            tally.add("run lengths have a class that the training rows have not", path)
        else:
            own.append(Region(name, runs=list(_pairs(written))))
    masks = [_mask(path, own, classes) for path, own in regions.items()]
    return pa.table({
        image: pa.array(list(regions), pa.string()),
        mask: pa.array([of_bytes(one) for one in masks], IMAGE_RECORD),
    })  # fmt: skip


def _name(value: Any) -> str:
    """Return the name of a class; empty where it is missing."""
    return "" if value is None else str(value).strip()


def _pairs(text: str) -> Iterator[tuple[int, int]]:
    numbers = list(map(int, text.split()))
    yield from (
        (first - 1, count) for first, count in zip(numbers[::2], numbers[1::2], strict=True)
    )


def _mask(path: str, regions: Sequence[Region], classes: Sequence[str]) -> bytes | None:
    """Return a mask of the size of its image; none where that cannot be read, which is counted."""
    try:
        return png_of(regions, upright_size(of_file(path)), classes)
    except ImageFault:
        return None
