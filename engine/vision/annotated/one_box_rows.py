"""Tables with one box a row, or with boxes and classes side by side, as rows of an image each.

So object detection is taught and so competitions hand it out: ``filename, xmin, ymin, xmax, ymax,
class``, or a cell ``[left, top, width, height]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import pyarrow as pa

from engine.data.boxes.coco import corners
from engine.data.boxes.records import CROWD, ONLY_CLASS, STATED_SIZE, Tally
from engine.data.image_limits import ImageFault
from engine.data.image_record import of_file
from engine.data.images import upright_size
from engine.data.raw import RawData
from engine.data.threads import quick_or_in_threads
from engine.data.written_value import written_value
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.columns import is_text
from engine.vision.annotated.box_columns import GROUPS, BoxFormat, has_objects, marks_crowd
from engine.vision.annotated.box_scale import are_shares, numbers_of
from engine.vision.files.column import holds_images

OBJECTS_COLUMN = "objects"
_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"), ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"),
)  # fmt: skip
_SIZES = (
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"), ("x", "y", "width", "height"),
    ("x", "y", "w", "h"), ("left", "top", "width", "height"),
)  # fmt: skip
_STATED = ("width", "height")
_CELLS = ("bbox", "bboxes", "box", "boxes")
_CLASSES = (
    "class", "label", "class_name", "label_name", "labelname", "category", "category_name", "name",
    "object", "labels", "classes", "class_id", "category_id",
)  # fmt: skip
_UNNAMED = 6
"""Columns of a list without a header: an image, four sides, a class."""


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """The columns of a table in which boxes stand."""

    sides: tuple[str, ...]
    """Four columns of numbers, or one of lists."""
    label: str
    """Empty where all boxes are of one class."""
    wide: bool
    """Whether the last two numbers are width and height."""
    group: str = ""
    """Empty where no column marks boxes around several objects."""
    stated: tuple[str, ...] = ()
    """The columns of the width and height that the table states of its images, if it does."""

    @property
    def in_cells(self) -> bool:
        """Whether boxes are lists, whose numbers mean what the name or the setting says."""
        return len(self.sides) == 1

    def joined(self, raw: RawData, image: str) -> RawData:
        """Return one row an image with its ``objects``; boxes in shares of it are made pixels.

        A row without any side is an image without objects.
        """
        splits, tally = {}, Tally()
        for split, table in raw.splits.items():
            boxes = self._boxes(table, image, tally)
            if len(self.sides) > 1 and are_shares(box for row in boxes for box in row):
                boxes = _in_pixels(table[image].to_pylist(), boxes)
            splits[split] = self._table(table, image, boxes)
        before, after = (sum(t.num_rows for t in s.values()) for s in (raw.splits, splits))
        names = ", ".join(plain(name, 40) for name in self.sides)
        why = f"{counted(before, 'row')} with the boxes in {names} are joined to "
        why += counted(after, "image")
        if not self.label:
            why += f"; no column has classes, so that all boxes are of one, {ONLY_CLASS}"
        note = Note(why, OBJECTS_COLUMN, "objects", before, change="task.objects", kind="converted")
        return raw.with_splits(splits, note, *tally.notes())

    def _boxes(self, table: pa.Table, image: str, tally: Tally) -> list[list[list[Any]]]:
        """Return the boxes of each row: none, one, or several where a cell has a list of them.

        Those around several objects are left out and counted, as COCO's crowds are.
        """
        if len(self.sides) > 1:
            rows = zip(*(table[name].to_pylist() for name in self.sides), strict=True)
            given = [[list(row)] if any(map(_is_given, row)) else [] for row in rows]
        else:
            given = [_listed(cell) for cell in table[self.sides[0]].to_pylist()]
        for row in self._groups(table):
            tally.add(CROWD, table[image][row].as_py())
            given[row] = []
        if self.in_cells or not self.wide:
            return given
        return [[corners(box) for box in row] for row in given]

    def _groups(self, table: pa.Table) -> list[int]:
        """Return the rows whose box is around several objects."""
        if self.group not in table.column_names:
            return []
        marks = table[self.group].to_pylist()
        return [row for row, mark in enumerate(marks) if marks_crowd(mark)]

    def _table(self, table: pa.Table, image: str, boxes: Sequence[Sequence[Any]]) -> pa.Table:
        labels = table[self.label].to_pylist() if self.label in table.column_names else None
        key = "bbox" if self.in_cells and self.wide else "box"
        kind = pa.list_(pa.struct([("label", pa.string()), (key, pa.list_(pa.float64()))]))
        cells: dict[str, list[dict[str, Any]]] = {}
        for row, path in enumerate(table[image].to_pylist()):
            own = cells.setdefault(path, [])
            of_row = labels[row] if labels else ONLY_CLASS
            several = of_row if isinstance(of_row, list) else [of_row] * len(boxes[row])
            own += [
                {"label": None if label is None else str(label), key: numbers_of(box)}
                for label, box in zip_longest(several, boxes[row])
            ]
        found = pa.table({
            image: pa.array(list(cells), pa.string()),
            OBJECTS_COLUMN: pa.array(list(cells.values()), kind),
        })  # fmt: skip
        sizes = self._sizes(table, image)
        stated = pa.array([sizes.get(path) for path in cells], pa.list_(pa.int64()))
        return found.append_column(STATED_SIZE, stated) if sizes else found

    def _sizes(self, table: pa.Table, image: str) -> dict[str, list[int]]:
        """Return width and height of the images for which the table has pixels."""
        if not self.stated or not set(self.stated) <= set(table.column_names):
            return {}
        rows = zip(*(table[name].to_pylist() for name in (image, *self.stated)), strict=True)
        read = ((path, numbers_of(sides)) for path, *sides in rows)
        return {
            path: [int(side) for side in sides]
            for path, sides in read
            if len(sides) == 2 and all(side >= 1 and side % 1 == 0 for side in sides)
        }


def boxes_beside(table: pa.Table, format: BoxFormat) -> BoxColumns | None:
    """Return the columns with the boxes of a table, by their names.

    ``None`` for tables without some, and those with a column of objects.
    """
    if has_objects(table):
        return None
    lower = {name.lower().strip(): name for name in reversed(table.column_names)}
    label = next((lower[name] for name in _CLASSES if name in lower), "")
    group = next((lower[name] for name in GROUPS if name in lower), "")
    for names, wide in [(n, False) for n in _CORNERS] + [(n, True) for n in _SIZES]:
        if all(name in lower for name in names):
            stated = tuple(lower[one] for one in _STATED if one in lower and one not in names)
            sides = tuple(lower[name] for name in names)
            return BoxColumns(sides, label, wide, group, stated if len(stated) == 2 else ())
    cell = next((lower[name] for name in _CELLS if name in lower), "")
    if cell and any(_listed(value) for value in table[cell].slice(0, 100).to_pylist()):
        auto = cell.lower().startswith("bbox")
        wide = format == "xywh" or (format == "auto" and auto)
        return BoxColumns((cell,), label, wide, group)
    columns = table.column_names
    unnamed = columns == [f"column_{number}" for number in range(1, _UNNAMED + 1)]
    if unnamed and is_text(table, columns[0]) and holds_images(table[columns[0]]):
        return BoxColumns(tuple(columns[1:5]), columns[5], format == "xywh")
    return None


def _is_given(value: Any) -> bool:
    return value is not None and value == value and str(value).strip() != ""


def _listed(cell: Any) -> list[list[Any]]:
    """Return the boxes of a cell: one list of numbers or several, also written as text."""
    value = written_value(cell) if isinstance(cell, str) else cell
    if not isinstance(value, list) or not value:
        return []
    return value if all(isinstance(one, list) for one in value) else [value]


def _in_pixels(paths: Sequence[str], boxes: Sequence[Sequence[Any]]) -> list[list[list[float]]]:
    known = list(dict.fromkeys(paths))
    sizes = dict(zip(known, quick_or_in_threads(_size, known), strict=True))
    return [
        [[side * sizes[path][at % 2] for at, side in enumerate(numbers_of(box))] for box in row]
        for path, row in zip(paths, boxes, strict=True)
    ]


def _size(path: str | None) -> tuple[int, int]:
    """Return width and height; of an image that cannot be read, which is left out later, 1."""
    try:
        return upright_size(of_file(path))
    except ImageFault:
        return 1, 1
