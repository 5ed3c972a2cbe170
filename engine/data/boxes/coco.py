"""COCO's annotations: one JSON file a split, of objects or of panoptic segments."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.data.boxes.coco_runs import around_runs, runs_of
from engine.data.boxes.records import CROWD, Annotations, Tally
from engine.data.image_index import ImageIndex, stated_split
from engine.data.raw import TRAIN
from engine.errors import DataError
from engine.files import safe_json
from engine.files.sanitize import plain

_INSTANCES = "instances_"
"""COCO's names of files of boxes; captions and key points of the same images stand beside."""
SAME_NAME = "an image is called as others, and its folder is not stated"


def read_coco(root: Path, files: Sequence[Path], images: ImageIndex) -> Annotations:
    """Read JSON files below ``root``; those that are no annotations of boxes are passed over.

    Raises :class:`DataError`.
    """
    found = Annotations()
    chosen = without_other_tasks(files, found.tally)
    read = {file: record for file in chosen if (record := _record(root / file)) is not None}
    if not read:
        raise DataError(
            f"{plain(root)}: no JSON file has images and annotations, as COCO's have.",
            "Set data.format if the annotations are in another format.",
        )
    names = {file: _things(record, file) for file, record in read.items()}
    found.classes = list(dict.fromkeys(name for own in names.values() for name in own.values()))
    for file, record in read.items():
        objects = _objects(record, names[file], file, found.tally)
        doubtful = doubtful_names(record, images)
        for number, image in _images(record, file, found.tally):
            name = str(image.get("file_name", ""))
            path = images.find(name, file)
            own = objects.pop(number, [])
            if path is None:
                found.tally.add("an image of the annotations is missing", name or file)
            elif name in doubtful:
                found.left_out.add(root / path)
                found.tally.add(SAME_NAME, name)
            else:
                split = stated_split(path, file) or TRAIN
                found.images[split].append((root / path, own))
                found.state_size(root / path, image.get("width"), image.get("height"))
        for lost in objects.values():
            for _ in lost:
                found.tally.add("an object's image is not in the annotations", file)
    return found


def without_other_tasks(files: Sequence[Path], tally: Tally) -> list[Path]:
    """Return the files without those beside ones called as COCO's of boxes, which are counted."""
    instances = {file for file in files if file.name.startswith(_INSTANCES)}
    folders = {file.parent for file in instances}
    kept = []
    for file in files:
        if file.parent in folders and file not in instances:
            tally.add(f"a JSON file beside those called {_INSTANCES}… is not read", file)
        else:
            kept.append(file)
    return kept


def doubtful_names(record: Mapping[str, Any], images: ImageIndex) -> set[str]:
    """Return names that several entries have, and several images: which is which is unknown."""
    names = Counter(str(image.get("file_name", "")) for image in entries_of(record, "images"))
    return {name for name, count in names.items() if count > 1 and images.namesakes(name) > 1}


def _images(
    record: Mapping[str, Any], file: Path, tally: Tally
) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Yield the number and the entry of each image; of several with one number, the first."""
    seen: set[Any] = set()
    for image in entries_of(record, "images"):
        number = reference(image.get("id"))
        if number is not None and number in seen:
            tally.add("an image has the id of another", f"{file}, image {number}")
            continue
        seen.add(number)
        yield number, image


def _record(path: Path) -> Mapping[str, Any] | None:
    try:
        record = safe_json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{plain(path)} cannot be read: {plain(error)}.") from error
    whole = isinstance(record, dict) and {"images", "annotations"} <= record.keys()
    return record if whole else None


def entries_of(record: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    """Return the objects of one of the lists of a file of COCO."""
    found = record.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def is_panoptic(content: Any) -> bool:
    """Whether parsed JSON has the segments of images, whose pixels are in PNG files."""
    return isinstance(content, dict) and any(
        isinstance(entry.get("segments_info"), list) for entry in entries_of(content, "annotations")
    )


def category_names(record: Mapping[str, Any], file: Path) -> dict[Any, str]:
    """Return the names of the classes by their ids; raises :class:`DataError` for none."""
    names = {
        key: str(entry.get("name", key))
        for entry in entries_of(record, "categories")
        if (key := reference(entry.get("id"))) is not None
    }
    if not names:
        raise DataError(f"{plain(file)} has no categories, which name the classes.")
    return names


def _things(record: Mapping[str, Any], file: Path) -> dict[Any, str]:
    """Return the names of the classes that have single objects: of segments, not the sky."""
    names = category_names(record, file)
    if not is_panoptic(record):
        return names
    stuff = {
        reference(entry.get("id"))
        for entry in entries_of(record, "categories")
        if entry.get("isthing") == 0
    }
    return {key: name for key, name in names.items() if key not in stuff}


def _entries(
    record: Mapping[str, Any], file: Path, names: Mapping[Any, str], tally: Tally
) -> Iterator[Mapping[str, Any]]:
    """Yield annotations of objects, also those of panoptic segments."""
    known = category_names(record, file)
    for entry in entries_of(record, "annotations"):
        if not isinstance(entry.get("segments_info"), list):
            yield entry
            continue
        for segment in entries_of(entry, "segments_info"):
            kind = reference(segment.get("category_id"))
            if kind in known and kind not in names:
                tally.add("a segment is of a surface such as sky, not of an object", file)
            else:
                yield {**segment, "image_id": entry.get("image_id")}


def _objects(
    record: Mapping[str, Any], names: Mapping[Any, str], file: Path, tally: Tally
) -> dict[Any, list[dict[str, Any]]]:
    """Return the objects of each image by its number, boxes as left, top, right, bottom."""
    objects: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for entry in _entries(record, file, names, tally):
        place = f"{file}, annotation {entry.get('id')}"
        label = names.get(reference(entry.get("category_id")))
        if entry.get("iscrowd"):
            tally.add(CROWD, place)
        elif label is None:
            tally.add("an object's category is unknown", place)
        else:
            box = corners(entry.get("bbox"))
            if not any(box) and (outline := around(entry.get("segmentation"))):
                tally.add("an outline without a box is read as the box around it", place,
                          "converted")  # fmt: skip
                box = outline
            objects[reference(entry.get("image_id"))].append({"label": label, "box": box})
    return dict(objects)


def reference(value: Any) -> Any:
    """Return a number or a text by which entries refer to each other; anything else is none.

    Tools write one number as ``7``, ``7.0`` or ``"7"``, even in one file.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | str) else None


def around(outline: Any) -> list[float]:
    """Return left, top, right, bottom of COCO's polygons or run lengths; empty for none."""
    if isinstance(outline, dict):
        return _around_runs(outline)
    whole = outline if isinstance(outline, list) else []
    numbers = [polygon for polygon in whole if isinstance(polygon, list)]
    try:
        across = [float(x) for polygon in numbers for x in polygon[::2]]
        down = [float(y) for polygon in numbers for y in polygon[1::2]]
    except (TypeError, ValueError):
        return []
    return [min(across), min(down), max(across), max(down)] if across and down else []


def _around_runs(outline: Mapping[str, Any]) -> list[float]:
    size = outline.get("size")
    sides = size if isinstance(size, list) else []
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        return []
    return around_runs(runs_of(outline.get("counts")), *sides)


def corners(box: Any) -> list[float]:
    """Return left, top, right, bottom of left, top, width, height; empty for no such box."""
    try:
        left, top, width, height = (float(number) for number in box)
    except (TypeError, ValueError):
        return []
    return [left, top, left + width, top + height]
