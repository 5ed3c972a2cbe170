"""Boxes as drawing tools write them: LabelMe, VIA, CreateML and Label Studio.

LabelMe has a file an image, the others one for all. Outlines, circles and rotated boxes are read as
the boxes around them, and counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from engine.data.boxes.coco import corners
from engine.data.boxes.records import ONLY_CLASS, Annotations, Tally
from engine.data.boxes.shapes import (
    AROUND,
    Marked,
    Object,
    Points,
    around,
    finite,
    numbers_of,
    points_of,
)
from engine.data.boxes.supervisely import is_supervisely, marked_image
from engine.data.boxes.via import annotations_in, via_images
from engine.data.image_index import ImageIndex, stated_split
from engine.data.image_suffixes import SUFFIXES
from engine.data.raw import TRAIN
from engine.data.readers.annotations import are_tasks, usable_annotations

_UPLOADED = 9
"""Characters that Label Studio puts before the name of a file that was uploaded: ``1a2b3c4d-``."""
_MARKED = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")
"""Keys of the classes of a mark of Label Studio, by its tool."""


@dataclass(frozen=True, slots=True)
class _Image:
    """An image as annotations call it, its size where they state one, and its objects."""

    names: Sequence[str]
    size: tuple[Any, Any]
    objects: Sequence[Object]
    alone: bool = False
    """Whether the file is of this image alone, and is called as it."""
    is_annotated: bool = True
    """Whether anybody looked at it; else it is not known to be without objects."""


def read_drawn(root: Path, files: Sequence[Path], images: ImageIndex) -> Annotations | None:
    """Read JSON files, and VIA's CSV, below ``root``; ``None`` where none is of these tools."""
    found = Annotations()
    seen = False
    for file in files:
        for image in _images(annotations_in(root / file), file, found.tally):
            seen = True
            path = next(filter(None, (images.find(name, file) for name in image.names)), None)
            if path is None:
                found.tally.add("an image of the annotations is missing", image.names[0] or file)
                continue
            if not image.is_annotated:
                found.tally.add("a task of Label Studio has no annotation that was kept", path)
                found.left_out.add(root / path)
                continue
            split = stated_split(path, file, image.alone) or TRAIN
            found.images[split].append((root / path, list(image.objects)))
            found.state_size(root / path, *image.size)
    if not seen:
        return None
    _name_classes(found)
    return found


def _name_classes(found: Annotations) -> None:
    """Call all objects by one name where none has any; else leave out those without."""
    everything = [one for images in found.images.values() for _, own in images for one in own]
    alone = not any(one["label"] for one in everything)
    for images in found.images.values():
        for path, own in images:
            for one in [one for one in own if not one["label"]]:
                if alone:
                    one["label"] = ONLY_CLASS
                    why = f"an object has no name, as all others, and is called {ONLY_CLASS}"
                    found.tally.add(why, path, "converted")
                else:
                    own.remove(one)
                    found.tally.add("an object has no name", path)


def _images(content: Any, file: Path, tally: Tally) -> Iterator[_Image]:
    if isinstance(content, dict) and isinstance(content.get("shapes"), list):
        yield _of_labelme(content, file, tally)
    elif is_supervisely(content):
        yield _of_shapes(marked_image(content, file, tally), tally, alone=True)
    elif are_tasks(content):
        yield from (_of_label_studio(task, file, tally) for task in content)
    elif isinstance(content, list) and any(map(_is_short_task, content)):
        yield from (_of_short_task(task, file, tally) for task in filter(_is_object, content))
    elif isinstance(content, list):
        yield from (
            _of_createml(one)
            for one in content
            if isinstance(one, dict) and isinstance(one.get("annotations"), list) and "image" in one
        )
    else:
        yield from (_of_shapes(image, tally) for image in via_images(content, tally))


def _of_shapes(image: Marked, tally: Tally, alone: bool = False) -> _Image:
    for shape in image.shapes:
        if not shape.is_upright:
            tally.add(AROUND, image.name, "converted")
    objects = [around(shape.label, shape.points) for shape in image.shapes]
    return _Image((image.name,), image.size, objects, alone)


def _of_labelme(content: Mapping[str, Any], file: Path, tally: Tally) -> _Image:
    objects = []
    for shape in filter(_is_object, content["shapes"]):
        points = points_of(shape.get("points"))
        kind = str(shape.get("shape_type") or "polygon")
        if kind == "circle" and len(points) > 1:
            (x, y), edge = points[0], math.dist(points[0], points[1])
            points = [(x - edge, y - edge), (x + edge, y + edge)]
        if kind in ("point", "line", "linestrip", "points") or len(points) < 2:
            tally.add("a point or a line has no box", file)
            continue
        if kind != "rectangle":
            tally.add(AROUND, file, "converted")
        objects.append(around(shape.get("label"), points))
    name = str(content.get("imagePath") or "")
    size = content.get("imageWidth"), content.get("imageHeight")
    return _Image((name, file.stem), size, objects, alone=True)


def _of_createml(entry: Mapping[str, Any]) -> _Image:
    objects = []
    for one in filter(_is_object, entry["annotations"]):
        place = one.get("coordinates")
        x, y, width, height = numbers_of(place, ("x", "y", "width", "height"))
        label = one.get("label")
        box = corners([x - width / 2, y - height / 2, width, height])
        objects.append({"label": "" if label is None else str(label), "box": finite(box)})
    return _Image((str(entry["image"]),), (None, None), objects)


def _of_label_studio(task: Mapping[str, Any], file: Path, tally: Tally) -> _Image:
    usable = usable_annotations(task)
    marks = usable[0]["result"] if usable else []
    image = _of_marks(marks, task["data"].values(), file, tally)
    return image if usable else replace(image, is_annotated=False)


def _is_short_task(task: Any) -> bool:
    return _is_object(task) and any(map(_are_marks, task.values()))


def _of_short_task(task: Mapping[str, Any], file: Path, tally: Tally) -> _Image:
    """Return an image of Label Studio's ``JSON_MIN``, whose marks have no annotation around."""
    marks = [mark for value in task.values() if _are_marks(value) for mark in value]
    return _of_marks([{**mark, "value": mark} for mark in marks], task.values(), file, tally)


def _are_marks(value: Any) -> bool:
    return isinstance(value, list) and any(
        isinstance(mark, dict) and "original_width" in mark for mark in value
    )


def _of_marks(marks: Sequence[Any], data: Iterable[Any], file: Path, tally: Tally) -> _Image:
    objects, size = [], (None, None)
    found, without = set[Any](), list[Any]()
    for mark in filter(_is_object, marks):
        value = mark.get("value")
        if not isinstance(value, dict):
            continue
        labels: Any = next((value[kind] for kind in _MARKED if value.get(kind)), [])
        size = (mark.get("original_width"), mark.get("original_height"))
        width, height = numbers_of(mark, ("original_width", "original_height"))
        points = _pixels(value, width / 100, height / 100) if labels else []
        if not points:
            without += [mark.get("id")] if "original_width" in mark else []
            continue
        found.add(mark.get("id"))
        if "points" in value or "radiusX" in value or value.get("rotation"):
            tally.add(AROUND, file, "converted")
        objects += [around(label, points) for label in labels]
    for number in without:
        if number is None or number not in found:  # a box and its class may be two marks
            tally.add("a mark of Label Studio has no class, or no box around it", file)
    names = [str(value) for value in data if _names_image(value)]
    name = PurePosixPath(names[0].rpartition("?d=")[2]).name if names else ""
    return _Image((name, name[_UPLOADED:]), size, objects)


def _pixels(value: Mapping[str, Any], wide: float, high: float) -> Points:
    """Return points that are given in percent of an image, of which one is ``wide`` and ``high``.

    A rectangle is rotated about its first corner.
    """
    if "points" in value:
        return [(x * wide, y * high) for x, y in points_of(value["points"])]
    if "radiusX" in value:
        return _ellipse(value, wide, high)
    if "width" not in value:
        return []
    x, y, width, height = numbers_of(value, ("x", "y", "width", "height"))
    x, y, width, height = x * wide, y * high, width * wide, height * high
    angle = math.radians(numbers_of(value, ("rotation",))[0]) if value.get("rotation") else 0.0
    across, down = math.cos(angle), math.sin(angle)
    return [
        (x + a * across - b * down, y + a * down + b * across)
        for a, b in ((0, 0), (width, 0), (width, height), (0, height))
    ]


def _ellipse(value: Mapping[str, Any], wide: float, high: float) -> Points:
    """Return the corners of the box around an ellipse, which is rotated about its middle."""
    x, y, across, down = numbers_of(value, ("x", "y", "radiusX", "radiusY"))
    x, y, across, down = x * wide, y * high, across * wide, down * high
    angle = math.radians(numbers_of(value, ("rotation",))[0]) if value.get("rotation") else 0.0
    width = math.hypot(across * math.cos(angle), down * math.sin(angle))
    height = math.hypot(across * math.sin(angle), down * math.cos(angle))
    return [(x - width, y - height), (x + width, y + height)]


def _names_image(value: Any) -> bool:
    return isinstance(value, str) and value.lower().rpartition(".")[2] in SUFFIXES


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)
