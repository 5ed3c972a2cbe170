"""Objects in images: a class and a box each, and a count of those that are left out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.files.sanitize import plain
from engine.reports.note import Kind, Note

OBJECTS = pa.list_(pa.struct([("label", pa.string()), ("box", pa.list_(pa.float64()))]))
"""Type of a column of objects; boxes are left, top, right, bottom in pixels."""
STATED_SIZE = "stated size"
"""Column of the width and height that annotations state for an image, to be held against it."""
CLASSES = b"box classes"
"""Key in a table's metadata of the names of classes, in their order."""
ONLY_CLASS = "object"
"""Name of the class where no object of the data has one."""
CROWD = "a region is a crowd, not a single object"
"""Reason why boxes around several objects are left out."""
_REACH = 0.5
"""Pixels by which a box may reach beyond its image by rounding alone."""


@dataclass(frozen=True, slots=True)
class Box:
    """A class and its place in an image, in pixels."""

    label: str
    left: float
    top: float
    right: float
    bottom: float

    def record(self) -> dict[str, Any]:
        """Return the object as a cell of a table has it."""
        return {"label": self.label, "box": [self.left, self.top, self.right, self.bottom]}


@dataclass
class Tally:
    """Reasons why objects were left out or changed, each with its number and its first place."""

    _found: dict[tuple[str, Kind], tuple[int, str]] = field(default_factory=dict)

    def add(self, reason: str, place: object, kind: Kind = "dropped") -> None:
        """Count one object; ``place`` is the image or the file that it is in."""
        count, first = self._found.get((reason, kind), (0, ""))
        self._found[reason, kind] = (count + 1, first or plain(place))

    def notes(self) -> list[Note]:
        """Return a note for each reason."""
        return [
            Note(f"{reason} (the first: {first})", "objects", rows=count, kind=kind)
            for (reason, kind), (count, first) in self._found.items()
        ]


def checked_box(
    label: str, sides: Sequence[Any], size: tuple[int, int], tally: Tally, place: object
) -> Box | None:
    """Return an object whose box lies in an image of ``size``, cut at its edges; both are counted.

    ``sides`` are left, top, right, bottom in pixels; ``None`` where there is no such box.
    """
    numbers = _numbers(sides)
    if numbers is None:
        tally.add("a box is not four numbers", place)
        return None
    left, top, right, bottom = numbers
    if right <= left or bottom <= top:
        tally.add("a box has no area", place)
        return None
    width, height = size
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        tally.add("a box lies outside of its image", place)
        return None
    beyond = max(-left, -top, right - width, bottom - height)
    if beyond > _REACH:
        tally.add("a box reaches beyond its image, and is cut at the edge", place, "converted")
    return Box(label, max(0.0, left), max(0.0, top), min(width, right), min(height, bottom))


def _numbers(sides: Sequence[Any]) -> tuple[float, float, float, float] | None:
    try:
        left, top, right, bottom = (float(side) for side in sides)
    except (TypeError, ValueError):
        return None
    numbers = (left, top, right, bottom)
    return numbers if all(map(math.isfinite, numbers)) else None


@dataclass
class Annotations:
    """The objects that a reader found in each image by split, the classes, and those left out."""

    images: dict[str, list[tuple[Path, list[dict[str, Any]]]]] = field(
        default_factory=lambda: {TRAIN: [], VALIDATION: [], TEST: []}
    )
    classes: list[str] = field(default_factory=list)
    """Names in the order of the annotations; empty where these have none."""
    tally: Tally = field(default_factory=Tally)
    left_out: set[Path] = field(default_factory=set)
    """Images that annotations name, and that are left out and counted."""
    sizes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Width and height of images as their annotations state them."""

    def state_size(self, image: Path, width: Any, height: Any) -> None:
        """Keep the size that annotations state for an image; one without pixels states nothing."""
        numbers = _numbers([0, 0, width, height])
        if numbers is not None and min(numbers[2:]) > 0:
            self.sizes[image] = (int(numbers[2]), int(numbers[3]))

    def raw(self) -> RawData:
        """Return the splits as tables of paths and objects, with the classes in their metadata."""
        splits = {split: with_box_classes(table, self.classes) for split, table in self._tables()}
        return RawData(splits, tuple(self.tally.notes()))

    def _tables(self) -> Iterator[tuple[str, pa.Table]]:
        for split, images in self.images.items():
            if images:
                table = pa.table({
                    "image": pa.array([str(path) for path, _ in images], pa.string()),
                    "objects": pa.array([objects for _, objects in images], OBJECTS),
                })  # fmt: skip
                stated = [self.sizes.get(path) for path, _ in images]
                sizes = pa.array(stated, pa.list_(pa.int64()))
                yield split, table.append_column(STATED_SIZE, sizes) if any(stated) else table


def with_box_classes(table: pa.Table, classes: Sequence[str]) -> pa.Table:
    """Note the names of classes in a table's metadata."""
    noted = {CLASSES: json.dumps(list(classes)).encode()}
    return table.replace_schema_metadata((table.schema.metadata or {}) | noted)


def box_classes(table: pa.Table) -> list[str]:
    """Return the names of classes that were noted in a table's metadata; empty for none."""
    noted = (table.schema.metadata or {}).get(CLASSES)
    return list(map(str, json.loads(noted))) if noted else []
