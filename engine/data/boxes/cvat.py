"""Shapes of CVAT's own XML (*CVAT for images 1.1*), of which one file has all images.

Format: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from engine.data.boxes.records import Annotations, Tally
from engine.data.boxes.shapes import (
    AROUND,
    Marked,
    Shape,
    around,
    ellipse,
    points_of,
    runs_within,
    turned,
)
from engine.data.image_index import ImageIndex, stated_split
from engine.data.raw import TRAIN
from engine.data.readers.files import split_of
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.files.xml_file import XmlFault, root_element

_LARGEST = 1 << 29
"""Bytes of the annotations of all images."""
_BEGINNING = 1 << 12
"""Bytes in which the outermost element begins."""


def read_cvat(root: Path, files: Sequence[Path], images: ImageIndex) -> Annotations | None:
    """Read boxes from XML files below ``root``; ``None`` where none is CVAT's.

    Raises :class:`DataError` for the annotations of a video.
    """
    found = Annotations()
    seen = False
    for file in files:
        for image in marked_images(root / file, found.tally):
            seen = True
            path = images.find(image.name, file)
            if path is None:
                found.tally.add("an image of the annotations is missing", image.name or file)
                continue
            objects = []
            for shape in image.shapes:
                if not shape.is_upright:
                    found.tally.add(AROUND, path, "converted")
                objects.append(around(shape.label, shape.points))
            split = image.split or stated_split(path, file) or TRAIN
            found.images[split].append((root / path, objects))
            found.state_size(root / path, *image.size)
    return found if seen else None


def marked_images(path: Path, tally: Tally) -> Iterator[Marked]:
    """Yield the images of a file with their shapes; none where the file is not CVAT's.

    Shapes without a class or an area are counted. Raises :class:`DataError` for a video's.
    """
    try:
        if not _begins_as_cvat(path):  # as the thousands of files of Pascal VOC, read elsewhere
            return
        tree = root_element(path, _LARGEST)
    except (OSError, XmlFault):
        return
    if tree.tag != "annotations":
        return
    if tree.find("track") is not None and tree.find("image") is None:
        raise DataError(
            f"{plain(path.name)} has tracks of a video instead of images.",
            'Export the task from CVAT as "CVAT for images 1.1", with its images.',
        )
    for image in tree.iter("image"):
        name, subset = image.get("name", ""), image.get("subset", "")
        split = split_of(Path(subset, "image")) if subset else ""
        size = (image.get("width", ""), image.get("height", ""))
        shapes = [shape for mark in image if (shape := _shape(mark, size, tally, name))]
        yield Marked(name, split, size, shapes)


def _begins_as_cvat(path: Path) -> bool:
    with path.open("rb") as file:
        return b"<annotations" in file.read(_BEGINNING).replace(b"\0", b"")  # also of UTF-16


def _shape(
    mark: ElementTree.Element, size: tuple[str, str], tally: Tally, image: str
) -> Shape | None:
    label = mark.get("label", "").strip()
    try:
        shape = _READERS[mark.tag](mark, label, size) if mark.tag in _READERS else None
    except ValueError:
        shape = None
    if shape is None or not label or len(shape.points) < 3:
        tally.add(f"a mark of the kind {plain(mark.tag, 20)} without a class or an area", image)
        return None
    return shape


def _numbers(mark: ElementTree.Element, *names: str) -> list[float]:
    return [float(mark.get(name, "")) for name in names]


def _rectangle(mark: ElementTree.Element, label: str, size: tuple[str, str]) -> Shape:
    """Return a box, which is rotated clockwise about its middle."""
    del size
    left, top, right, bottom = _numbers(mark, "xtl", "ytl", "xbr", "ybr")
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    degrees = float(mark.get("rotation") or 0)
    middle = ((left + right) / 2, (top + bottom) / 2)
    return Shape(label, turned(corners, middle, degrees), degrees % 90 == 0)


def _ellipse(mark: ElementTree.Element, label: str, size: tuple[str, str]) -> Shape:
    del size
    x, y, across, down = _numbers(mark, "cx", "cy", "rx", "ry")
    return Shape(label, ellipse((x, y), across, down, float(mark.get("rotation") or 0)))


def _polygon(mark: ElementTree.Element, label: str, size: tuple[str, str]) -> Shape:
    del size
    pairs = [pair.split(",") for pair in mark.get("points", "").split(";")]
    return Shape(label, points_of(pairs))


def _mask(mark: ElementTree.Element, label: str, size: tuple[str, str]) -> Shape:
    """Return a brushed shape: rows of a box, pixels outside and inside in turn."""
    left, top, width, height = map(int, _numbers(mark, "left", "top", "width", "height"))
    counts = [int(count) for count in mark.get("rle", "").split(",")]
    wide, high = int(size[0]), int(size[1])
    if min(counts, default=-1) < 0 or sum(counts) != width * height:
        raise ValueError("The counts do not fill the box.")
    inside = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)
    runs = runs_within(inside, (left, top), (wide, high))
    right, bottom = left + width, top + height
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return Shape(label, [(float(x), float(y)) for x, y in corners], runs=runs)


_READERS = {"box": _rectangle, "ellipse": _ellipse, "polygon": _polygon, "mask": _mask}
