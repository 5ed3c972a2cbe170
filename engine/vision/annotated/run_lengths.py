"""Masks in a column of run lengths, as competitions hand them out: ``1 3 10 5``.

A row is one object; several rows, or a column of classes, make the mask of an image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from engine.data.boxes.records import ONLY_CLASS, Tally
from engine.data.image_limits import ImageFault
from engine.data.image_record import IMAGE_RECORD, of_bytes, of_file
from engine.data.images import upright_size
from engine.data.mask_files import with_mask_classes
from engine.data.outlines import BACKGROUND, Region, classes_of, png_of
from engine.data.raw import RawData
from engine.data.threads import in_threads
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.columns import is_text
from engine.vision.annotated.run_order import Order, fault_of, order_of

_RUNS = re.compile(r"\s*\d+\s+\d+(?:\s+\d+\s+\d+)*\s*")
_NONE = "-1"
"""Cell of an image without an object, where it is not empty."""
_CLASSES = ("class", "classid", "class_id", "label", "category", "category_id")
_TRIED = 200
_Size = tuple[int, int]


def run_column(table: pa.Table, chosen: str) -> str:
    """Return the column of run lengths: as chosen, else by its content; empty where none is."""
    names = [chosen] if chosen else table.column_names
    return next((name for name in names if name in table.column_names and _holds(table, name)), "")


def _holds(table: pa.Table, name: str) -> bool:
    if not is_text(table, name):
        return False
    cells = list(filter(None, map(_written, table[name].slice(0, _TRIED).to_pylist())))
    return bool(cells) and all(map(_RUNS.fullmatch, cells))


@dataclass(frozen=True, slots=True)
class RunColumns:
    """The columns of images and run lengths, the one that masks get, and the order of pixels."""

    image: str
    runs: str
    mask: str
    order: Order | None = None
    """``None`` for that which the runs tell."""


@dataclass
class _Split:
    """The regions of each image of a split, by its path."""

    regions: dict[str, list[Region]] = field(default_factory=dict)

    def sizes(self) -> dict[str, _Size | None]:
        """Return width and height of each image; ``None`` for one that cannot be read."""
        return dict(zip(self.regions, in_threads(_size, list(self.regions)), strict=True))


def with_drawn_masks(raw: RawData, columns: RunColumns) -> RawData:
    """Return one row an image with a mask that is drawn from its run lengths.

    Pixels are counted from 1; paths of images are whole. An image whose rows have no runs is
    background.
    """
    label = next((name for name in raw.train.column_names if name.lower() in _CLASSES), "")
    given = raw.train[label].to_pylist() if label else [ONLY_CLASS]
    classes, tally = classes_of(set(map(_name, given)) - {""}), Tally()
    read = {split: _read(table, columns, label, classes, tally)
            for split, table in raw.splits.items()}  # fmt: skip
    sizes = {split: own.sizes() for split, own in read.items()}
    told = order_of(
        (region.runs, size)
        for split, own in read.items()
        for path, regions in own.regions.items()
        for region in regions
        if (size := sizes[split][path])
    )
    order = columns.order or told or "columns"
    splits = {
        split: _drawn(own, sizes[split], columns, classes, order, tally)
        for split, own in read.items()
    }
    before, after = (sum(t.num_rows for t in s.values()) for s in (raw.splits, splits))
    way = "down the columns" if order == "columns" else "along the rows"
    why = f"the run lengths of {counted(before, 'row')}, which count pixels {way}, are drawn as "
    why += f"masks of {counted(after, 'image')}; other pixels are {BACKGROUND}"
    notes = [Note(why, plain(columns.runs, 40), "masks", before, "task.run_order", "converted")]
    if told is None and columns.order is None:
        doubt = "run lengths do not tell whether they count pixels down the columns or along the "
        doubt += "rows, since all images are square or all objects of one run: columns are taken"
        notes.append(Note(doubt, plain(columns.runs, 40), "columns", change="task.run_order"))
    numbered = [f"{number}={name}" for number, name in enumerate(classes)]
    return with_mask_classes(raw.with_splits(splits, *notes, *tally.notes()), numbered)


def _read(
    table: pa.Table, columns: RunColumns, label: str, classes: Sequence[str], tally: Tally
) -> _Split:
    found, given = _Split(), [None] * table.num_rows
    if columns.runs in table.column_names:
        given = table[columns.runs].to_pylist()
    labels = table[label].to_pylist() if label in table.column_names else None
    for row, path in enumerate(table[columns.image].to_pylist()):
        own = found.regions.setdefault(path, [])
        name = _name(labels[row]) if labels else ONLY_CLASS
        if not (written := _written(given[row])):
            continue
        if not _RUNS.fullmatch(written):
            tally.add("a cell does not hold run lengths", path)
        elif name not in classes:
            tally.add("run lengths have a class that the training rows have not", path)
        else:
            own.append(Region(name, runs=list(_pairs(written))))
    return found


def _drawn(
    found: _Split, sizes: Mapping[str, _Size | None], columns: RunColumns,
    classes: Sequence[str], order: Order, tally: Tally,
) -> pa.Table:  # fmt: skip
    masks: list[bytes | None] = []
    for path, regions in found.regions.items():
        size = sizes[path]
        if size is None:
            masks.append(None)  # counted with the images that cannot be read
            continue
        faults = [fault_of(region.runs, size) for region in regions]
        for fault in filter(None, faults):
            tally.add(fault, path)
        whole = [one for one, fault in zip(regions, faults, strict=True) if not fault]
        masks.append(png_of(whole, size, classes, by_rows=order == "rows"))
    return pa.table({
        columns.image: pa.array(list(found.regions), pa.string()),
        columns.mask: pa.array([of_bytes(one) for one in masks], IMAGE_RECORD),
    })  # fmt: skip


def _written(cell: str | None) -> str:
    """Return the run lengths of a cell; empty for none."""
    text = (cell or "").strip()
    return "" if text == _NONE else text


def _name(value: Any) -> str:
    """Return the name of a class; empty where it is missing."""
    return "" if value is None else str(value).strip()


def _pairs(text: str) -> Iterator[tuple[int, int]]:
    numbers = list(map(int, text.split()))
    yield from (
        (first - 1, count) for first, count in zip(numbers[::2], numbers[1::2], strict=True)
    )


def _size(path: str) -> _Size | None:
    try:
        return upright_size(of_file(path))
    except ImageFault:
        return None
