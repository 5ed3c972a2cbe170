"""COCO's annotations: one JSON file a split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.data.boxes.records import Annotations, Tally
from engine.data.image_index import ImageIndex
from engine.data.raw import TRAIN
from engine.data.readers.files import split_of
from engine.errors import DataError
from engine.files import safe_json
from engine.files.sanitize import plain


def read_coco(root: Path, files: Sequence[Path], images: ImageIndex) -> Annotations:
    """Read JSON files below ``root``; those that are no annotations are passed over.

    Raises :class:`DataError`.
    """
    read = {file: record for file in files if (record := _record(root / file)) is not None}
    if not read:
        raise DataError(
            f"{plain(root)}: no JSON file has images and annotations, as COCO's have.",
            "Set data.format if the annotations are in another format.",
        )
    found = Annotations()
    names = {file: _categories(record, file) for file, record in read.items()}
    found.classes = list(dict.fromkeys(name for own in names.values() for name in own.values()))
    for file, record in read.items():
        split = split_of(file) or TRAIN
        objects = _objects(record, names[file], file, found.tally)
        for image in _entries(record, "images"):
            name = str(image.get("file_name", ""))
            path = images.find(name, file)
            own = objects.pop(_key(image.get("id")), [])
            if path is None:
                found.tally.add("an image of the annotations is missing", name or file)
            else:
                found.images[split].append((root / path, own))
        for lost in objects.values():
            for _ in lost:
                found.tally.add("an object's image is not in the annotations", file)
    return found


def _record(path: Path) -> Mapping[str, Any] | None:
    try:
        record = safe_json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{plain(path)} cannot be read: {plain(error)}.") from error
    whole = isinstance(record, dict) and {"images", "annotations"} <= record.keys()
    return record if whole else None


def _entries(record: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    found = record.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _categories(record: Mapping[str, Any], file: Path) -> dict[Any, str]:
    names = {
        entry["id"]: str(entry.get("name", entry["id"]))
        for entry in _entries(record, "categories")
        if isinstance(entry.get("id"), int)
    }
    if not names:
        raise DataError(f"{plain(file)} has no categories, which name the classes.")
    return names


def _objects(
    record: Mapping[str, Any], names: Mapping[Any, str], file: Path, tally: Tally
) -> dict[Any, list[dict[str, Any]]]:
    """Return the objects of each image by its number, boxes as left, top, right, bottom."""
    objects: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for entry in _entries(record, "annotations"):
        place = f"{file}, annotation {entry.get('id')}"
        label = names.get(_key(entry.get("category_id")))
        if entry.get("iscrowd"):
            tally.add("a region is a crowd, not a single object", place)
        elif label is None:
            tally.add("an object's category is unknown", place)
        else:
            box = corners(entry.get("bbox"))
            objects[_key(entry.get("image_id"))].append({"label": label, "box": box})
    return dict(objects)


def _key(value: Any) -> Any:
    """Return a number or a text by which entries refer to each other; anything else is none."""
    return value if isinstance(value, int | str) else None


def corners(box: Any) -> list[float]:
    """Return left, top, right, bottom of left, top, width, height; empty for no such box."""
    try:
        left, top, width, height = (float(number) for number in box)
    except (TypeError, ValueError):
        return []
    return [left, top, left + width, top + height]
