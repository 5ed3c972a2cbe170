"""Annotations of Supervisely, in which Dataset Ninja hands out data: ``ann/a.jpg.json``."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from engine.data.boxes.records import Tally
from engine.data.boxes.shapes import Marked, Points, Shape, points_of, runs_within
from engine.data.image_limits import ImageFault, check_size
from engine.files.sanitize import plain

_Size = tuple[int, int]
_LARGEST = 1 << 26
"""Bytes of an unpacked bitmap."""


def is_supervisely(content: Any) -> bool:
    """Whether parsed JSON has the objects of an image as Supervisely writes them."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("objects"), list)
        and isinstance(content.get("size"), dict)
        and {"width", "height"} <= content["size"].keys()
    )


def marked_image(content: Mapping[str, Any], file: Path, tally: Tally) -> Marked:
    """Return the shapes of the image that a file is called after.

    Those without a class or an area are counted.
    """
    name = file.stem
    size = (content["size"]["width"], content["size"]["height"])
    shapes = []
    for mark in content["objects"]:
        kind = str(mark.get("geometryType")) if isinstance(mark, dict) else ""
        try:
            shape = _READERS[kind](mark, size) if kind in _READERS else None
        except _BROKEN:
            shape = None
        if shape is None or not shape.label or len(shape.points) < 3:
            tally.add(f"a mark of the kind {plain(kind, 20)} without a class or an area", file)
        else:
            shapes.append(shape)
    return Marked(name, "", size, shapes)


_BROKEN = (
    ValueError, TypeError, KeyError, IndexError, OSError, SyntaxError, zlib.error, ImageFault,
)  # fmt: skip


def _label(mark: Mapping[str, Any]) -> str:
    return str(mark.get("classTitle") or "").strip()


def _corners(left: float, top: float, right: float, bottom: float) -> Points:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _rectangle(mark: Mapping[str, Any], size: _Size) -> Shape:
    del size
    (left, top), (right, bottom) = points_of(mark["points"]["exterior"])
    corners = _corners(min(left, right), min(top, bottom), max(left, right), max(top, bottom))
    return Shape(_label(mark), corners, is_upright=True, edges_inside=True)


def _polygon(mark: Mapping[str, Any], size: _Size) -> Shape:
    points = points_of(mark["points"]["exterior"])
    holes = [points_of(hole) for hole in mark["points"].get("interior") or []]
    if not holes:
        return Shape(_label(mark), points, edges_inside=True)
    check_size(*size)
    mask = Image.new("1", size)
    draw = ImageDraw.Draw(mask)
    draw.polygon(points, fill=1)
    for hole in holes:
        draw.polygon(hole, fill=0)
    return Shape(_label(mark), points, runs=runs_within(np.asarray(mask), (0, 0), size))


def _bitmap(mark: Mapping[str, Any], size: _Size) -> Shape:
    """Return a packed PNG as a shape, whose points are the corners of the box around its pixels."""
    left, top = map(int, mark["bitmap"]["origin"])
    inside = _unpacked(mark["bitmap"]["data"])
    check_size(*size)
    runs = runs_within(inside, (left, top), size)
    rows, columns = np.nonzero(inside)
    if not len(rows):
        raise ValueError("The bitmap has no pixels.")
    box = (left + columns.min(), top + rows.min(), left + columns.max() + 1, top + rows.max() + 1)
    return Shape(_label(mark), _corners(*map(float, box)), runs=runs)


def _unpacked(text: str) -> NDArray[np.bool_]:
    data = zlib.decompressobj().decompress(base64.b64decode(text), _LARGEST)
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        check_size(*image.size)
        values = np.asarray(image)
    return np.asarray(values[..., -1] if values.ndim == 3 else values) > 0


_READERS: Mapping[str, Callable[[Mapping[str, Any], _Size], Shape]] = {
    "rectangle": _rectangle, "polygon": _polygon, "bitmap": _bitmap, "alpha_mask": _bitmap,
}  # fmt: skip
