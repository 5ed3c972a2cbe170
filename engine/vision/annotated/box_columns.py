"""The column of objects in the formats in which tables and data sets have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Literal

import pyarrow as pa

from engine.data.boxes.coco import corners
from engine.data.raw import nested_class_names
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.columns import by_name

_NAMES = ("objects", "annotations", "boxes", "bboxes", "labels", "detections")
_BOXES = ("box", "bbox", "boxes", "bboxes")
_LABELS = ("label", "labels", "category", "categories", "class", "classes", "name", "category_id")
GROUPS = ("iscrowd", "is_crowd", "isgroupof", "is_group_of")
"""Names of what marks a box around several objects: COCO's, and that of Open Images."""
BoxFormat = Literal["auto", "xyxy", "xywh"]


def find_objects(table: pa.Table) -> str:
    """The column with objects: by its content, and by its name where there are several.

    Raises :class:`DataError`.
    """
    found = [name for name in table.column_names if _keys(table.schema.field(name).type)]
    named = by_name(table.select(found), _NAMES) or next(iter(found), None)
    if named is None:
        known = ", ".join(plain(name, 40) for name in table.column_names[:10])
        raise DataError(
            f"No column holds objects with a label and a box (there is {known}).",
            'Such a cell is [{"label": "cat", "box": [left, top, right, bottom]}].',
        )
    return named


def has_objects(table: pa.Table) -> bool:
    """Whether a table has a column of objects."""
    return any(_keys(field.type) for field in table.schema)


def marks_crowd(mark: Any) -> bool:
    """Whether the value of one of :data:`GROUPS` says that a box is around several objects."""
    return str(mark).lower() in ("1", "1.0", "true")


class ObjectColumn:
    """Cells of a column as lists of labels and sides of boxes."""

    def __init__(self, table: pa.Table, column: str, format: BoxFormat) -> None:
        """Raises :class:`DataError` for a column without labels and boxes."""
        keys = _keys(table.schema.field(column).type)
        if keys is None:
            raise DataError(
                f"task.objects: {plain(column, 60)!r} holds no objects with a label and a box."
            )
        box, label = keys
        self._group = _group(table.schema.field(column).type)
        self._names = (label, box, self._group)
        self.has_sizes = format == "xywh" or (format == "auto" and box.startswith("bbox"))
        self.names = nested_class_names(table, column, label)

    def objects(self, cell: Any) -> list[tuple[str | None, Sequence[Any]]]:
        """Return label and left, top, right, bottom of each object of a cell.

        Labels that stand for no class are ``None``, boxes that are none are empty. Boxes around
        several objects are left out: see :meth:`crowds`.
        """
        found = self._stored(cell)
        return [(self._named(label), self._sides(box)) for label, box, crowd in found if not crowd]

    def crowds(self, cell: Any) -> int:
        """Return the number of boxes of a cell that are marked as around several objects."""
        return sum(crowd for _, _, crowd in self._stored(cell)) if self._group else 0

    def _stored(self, cell: Any) -> list[tuple[Any, Any, bool]]:
        """Return the label and box of each object as they are stored, and whether it is a crowd."""
        if cell is None:
            return []
        label, box, group = self._names
        if isinstance(cell, Mapping):
            # A label without a box, and a box without a label, are faults to be counted.
            lists = [cell[name] or () if name else () for name in self._names]
            found = list(zip_longest(*lists))
        else:
            objects = [one for one in cell if one is not None]
            found = [(one[label], one[box], one[group] if group else None) for one in objects]
        return [(label, box, marks_crowd(mark)) for label, box, mark in found]

    def _named(self, label: Any) -> str | None:
        if label is None or not self.names or isinstance(label, str):
            return None if label is None else str(label)
        return self.names[label] if 0 <= label < len(self.names) else None

    def _sides(self, box: Any) -> Sequence[Any]:
        if not isinstance(box, Sequence):
            return ()
        return corners(box) if self.has_sizes else box


def _keys(kind: pa.DataType) -> tuple[str, str] | None:
    """Return the names of box and label within a column's type; ``None`` for other types."""
    names = _fields(kind)
    box = next((name for name in _BOXES if name in names), None)
    label = next((name for name in _LABELS if name in names), None)
    return (box, label) if box and label else None


def _group(kind: pa.DataType) -> str:
    """Return the name of the mark of boxes around several objects; empty where none has it."""
    return next((name for name in sorted(_fields(kind)) if name.lower() in GROUPS), "")


def _fields(kind: pa.DataType) -> set[str]:
    """Return the names of what objects in a column of this type have; none for other types."""
    inner = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
    if not pa.types.is_struct(inner):
        return set()
    return {inner.field(place).name for place in range(inner.num_fields)}
