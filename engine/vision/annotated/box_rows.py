"""Rows with an image and its objects; rows and objects left out are counted and reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.config.data.base import DataConfig
from engine.data.boxes.records import (
    CROWD,
    OBJECTS,
    STATED_SIZE,
    Tally,
    box_classes,
    checked_box,
    with_box_classes,
)
from engine.data.image_limits import ImageFault
from engine.data.images import upright_size
from engine.data.raw import TRAIN, RawData
from engine.data.splits import cut_splits
from engine.data.threads import quick_or_in_threads
from engine.data.turned_images import marked_as_stored, turned_box
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.rows import without_faults
from engine.vision.annotated.box_columns import BoxFormat, ObjectColumn
from engine.vision.annotated.box_scale import are_corners, are_shares, numbers_of
from engine.vision.files.column import Aside, Images

_MOST_CLASSES = 10_000


@dataclass(frozen=True)
class ObjectRows:
    """The columns of images and objects, and how boxes are written."""

    image: str
    objects: str
    format: BoxFormat


def usable_boxes(
    raw: RawData, config: DataConfig, columns: ObjectRows, folder: Path | None
) -> RawData:
    """``raw`` in three splits, only with images that can be read and boxes that lie in them.

    The column of objects has the type :data:`OBJECTS`, and the classes are noted. Raises
    :class:`DataError` where no row or no object is left.
    """
    aside = Aside(raw.splits, columns.image, folder)
    sizes = list(quick_or_in_threads(lambda n: _size(aside.images, n), range(len(aside.images))))
    reader, shares, notes = _reading(aside.splits[TRAIN], raw.train, columns, sizes)
    tally = Tally()
    classes = _classes(raw, columns, reader)
    places = _Places(aside.images, sizes, classes, tally, shares)
    splits = {
        split: _checked(table, columns, reader, places) for split, table in aside.splits.items()
    }
    raw = without_faults(
        replace(raw, splits=splits),
        lambda table: [_fault(sizes[number]) for number in table[columns.image].to_pylist()],
        lambda table, row: _name(aside.images, table[columns.image][row].as_py()),
        "Look at the images.",
    )
    raw = cut_splits(raw.with_splits(raw.splits, *notes, *tally.notes()), config)
    if not any(count_objects(raw.splits[TRAIN], columns.objects).values()):
        raise _without_objects(raw.notes)
    return replace(
        raw,
        splits={
            split: with_box_classes(aside.back(table), classes)
            for split, table in raw.splits.items()
        },
    )


def _reading(
    numbered: pa.Table, train: pa.Table, columns: ObjectRows, sizes: Sequence[tuple[int, int] | str]
) -> tuple[ObjectColumn, bool, list[Note]]:
    """Return a reader of the objects, and whether boxes are shares of their images.

    ``numbered`` are the training rows with the numbers of their images.
    """
    reader = ObjectColumn(train, columns.objects, columns.format)
    as_written = ObjectColumn(train, columns.objects, "xyxy")
    numbers, cells = numbered[columns.image].to_pylist(), train[columns.objects].to_pylist()
    placed = [
        (sides, size)
        for number, cell in zip(numbers, cells, strict=True)
        if not isinstance(size := sizes[number], str)
        for _, sides in as_written.objects(cell)
    ]
    notes, shares = [], are_shares(sides for sides, _ in placed)
    if shares:
        why = "boxes are shares of the sides of their image, and are made pixels"
        notes.append(Note(why, "objects", "shares", kind="converted"))
    if columns.format == "auto" and reader.has_sizes and (beyond := are_corners(placed, shares)):
        reader = as_written
        why = "boxes are read as left, top, right and bottom: with width and height in place of "
        why += f"these, {counted(beyond, 'training box', 'training boxes')} would reach beyond"
        notes.append(Note(why, "objects", "corners", beyond, "task.box_format"))
    return reader, shares, notes


def count_objects(table: pa.Table, column: str) -> Counter[str]:
    """Return the number of objects of each class."""
    cells = table[column].to_pylist()
    return Counter(one["label"] for cell in cells for one in cell)


@dataclass(frozen=True)
class _Places:
    """The limits against which boxes are checked."""

    images: Images
    sizes: Sequence[tuple[int, int] | str]
    classes: Sequence[str]
    tally: Tally
    shares: bool = False
    """Whether boxes are shares of the sides of their image."""


def _checked(
    table: pa.Table, columns: ObjectRows, reader: ObjectColumn, places: _Places
) -> pa.Table:
    """Return a table whose objects are those that lie in their images."""
    known = frozenset(places.classes)
    cells: list[list[dict[str, Any]]] = []
    numbers = table[columns.image].to_pylist()
    stated: list[Any] = [None] * len(numbers)
    if STATED_SIZE in table.column_names:
        stated = table[STATED_SIZE].to_pylist()
        table = table.drop_columns([STATED_SIZE])
    given = zip(numbers, table[columns.objects].to_pylist(), stated, strict=True)
    for number, cell, other in given:
        size, own = places.sizes[number], []
        turned = _turned(number, other, places)
        for _ in range(reader.crowds(cell)):
            places.tally.add(CROWD, _name(places.images, number))
        for label, sides in reader.objects(cell) if not isinstance(size, str) else ():
            name = _name(places.images, number)
            if label is None or label not in known:
                places.tally.add(_unknown(label), name)
                continue
            if places.shares:
                sides = [side * size[at % 2] for at, side in enumerate(numbers_of(sides))]
            if turned:
                sides = turned_box(sides, turned, other)
            box = checked_box(label, sides, size, places.tally, name)
            own += [box.record()] if box else []
        cells.append(own)
    place = table.column_names.index(columns.objects)
    return table.set_column(place, columns.objects, pa.array(cells, OBJECTS))


def _turned(number: int, stated: Sequence[int] | None, places: _Places) -> int:
    """Return the orientation of an image whose boxes are on its stored pixels, else 0.

    Images whose size is not the one that their annotations state are counted.
    """
    real = places.sizes[number]
    if stated is None or isinstance(real, str) or tuple(stated) == real:
        return 0
    orientation = marked_as_stored(places.images[number], stated, real)
    if orientation:
        reason = "boxes of an image that its camera has turned are turned like it"
        places.tally.add(reason, _name(places.images, number), "converted")
    else:
        reason = "an image has another size than its annotations state: its boxes may be wrong"
        places.tally.add(reason, _name(places.images, number), "doubt")
    return orientation


def _unknown(label: str | None) -> str:
    if label is None:
        return "an object has no class"
    return "an object's class is not in the training images"


def _without_objects(notes: Sequence[Note]) -> DataError:
    """Return the error for training images without objects, with why most were left out."""
    lost = [note for note in notes if note.column == "objects" and note.kind == "dropped"]
    most = max(lost, key=lambda note: note.rows or 0, default=None)
    why = f" {most.rows or 0:,} left out: {most.why}." if most else ""
    return DataError(f"No training image has an object.{why}", "Look at the annotations.")


def _classes(raw: RawData, columns: ObjectRows, reader: ObjectColumn) -> list[str]:
    """Return the classes in the order of the annotations, else those of the training images."""
    noted = box_classes(raw.train) or reader.names
    if noted:
        return list(noted)
    objects = [
        one for cell in raw.train[columns.objects].to_pylist() for one in reader.objects(cell)
    ]
    labels = {label for label, _ in objects if label is not None}
    if not objects:
        raise _without_objects(raw.notes)
    if not 1 <= len(labels) <= _MOST_CLASSES:
        raise DataError(
            f"The objects of the training images have {len(labels):,} classes; there must be from "
            f"1 to {_MOST_CLASSES:,}.",
            "Choose another column with task.objects.",
        )
    return sorted(labels, key=_natural)


def _natural(label: str) -> tuple[int, int, str]:
    """Sort numbers by value, and before names."""
    return (0, int(label), "") if label.isdecimal() else (1, 0, label)


def _size(images: Images, number: int) -> tuple[int, int] | str:
    """Return width and height of an image, or why it cannot be read."""
    try:
        return upright_size(images[number])
    except ImageFault as fault:
        return plain(fault)


def _fault(size: tuple[int, int] | str) -> str | None:
    return size if isinstance(size, str) else None


def _name(images: Images, number: int) -> str:
    record: Mapping[str, Any] | None = images[number]
    return plain((record or {}).get("path") or "")


def named_boxes(cells: Iterable[Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return what each cell holds in words, such as ``2 circle, 1 square``."""
    return [
        ", ".join(
            f"{count} {name}" for name, count in Counter(one["label"] for one in cell).items()
        )
        for cell in cells
    ]
