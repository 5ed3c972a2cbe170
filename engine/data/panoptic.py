"""Masks of COCO's panoptic annotations: a JSON file, and PNG files whose colours are segments.

Format: https://cocodataset.org/#format-data, "Panoptic Segmentation".
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from engine.data.boxes.coco import category_names, entries_of, is_panoptic, reference
from engine.data.boxes.records import Tally
from engine.data.boxes.shapes import document_of
from engine.data.image_index import ImageIndex, stated_split
from engine.data.image_limits import ImageFault
from engine.data.image_record import IMAGE_RECORD, of_bytes, of_file
from engine.data.images import stored_values
from engine.data.masks import IGNORED
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.data.threads import in_threads
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

_MOST_CLASSES = 254


@dataclass(frozen=True, slots=True)
class _Image:
    """An image, the PNG file of its segments, and the class of each segment by its number."""

    path: Path
    segments: Path
    split: str
    names: Mapping[int, str]


def load_panoptic(
    root: Path, files: Sequence[Path], images: Sequence[Path]
) -> tuple[RawData, list[str]] | None:
    """Return paths, masks of classes drawn from segments, and the classes as ``0=car``.

    ``None`` where no JSON file is panoptic. Raises :class:`DataError` for too many classes.
    """
    tally = Tally()
    found: list[_Image] = []
    order: list[str] = []
    folders = {part for image in images for part in image.parts[:-1]}
    for file in files:  # COCO keeps PNG files in a folder called as their JSON file
        if file.suffix.lower() != ".json" or file.stem not in folders:
            continue
        content = document_of(root / file)
        if is_panoptic(content):
            order += category_names(content, file).values()
            found += _images(content, file, images, tally)
    if not found:
        return None
    used = {name for image in found for name in image.names.values()}
    classes = [name for name in dict.fromkeys(order) if name in used]
    if len(classes) > _MOST_CLASSES:
        raise DataError(f"The segments have {len(classes):,} classes; {_MOST_CLASSES} is the most.")
    drawn = zip(found, in_threads(lambda one: _drawn(root, one, classes), found), strict=True)
    rows: dict[str, list[tuple[Path, bytes]]] = {TRAIN: [], VALIDATION: [], TEST: []}
    for image, (mask, faults) in drawn:
        for fault in faults:
            tally.add(fault, image.segments)
        if mask is not None:
            rows[image.split].append((image.path, mask))
    splits = {
        split: pa.table({
            "image": pa.array([str(root / path) for path, _ in own], pa.string()),
            "mask": pa.array([of_bytes(mask) for _, mask in own], IMAGE_RECORD),
        })
        for split, own in rows.items()
        if own
    }  # fmt: skip
    if TRAIN not in splits:
        raise DataError(f"{plain(root)} has no images with panoptic segments to train on.")
    number = sum(table.num_rows for table in splits.values())
    why = "masks have the classes of panoptic segments; pixels without a segment are ignored"
    notes = [Note(why, "mask", "masks", number, kind="converted"), *tally.notes()]
    return RawData(splits, tuple(notes)), [f"{n}={name}" for n, name in enumerate(classes)]


def _images(
    content: Mapping[str, Any], file: Path, images: Sequence[Path], tally: Tally
) -> Iterator[_Image]:
    colours = {image.name: image for image in images if file.stem in image.parts[:-1]}
    photographs = ImageIndex([image for image in images if file.stem not in image.parts[:-1]])
    called = {
        reference(entry.get("id")): str(entry.get("file_name", ""))
        for entry in entries_of(content, "images")
    }
    categories = category_names(content, file)
    for entry in entries_of(content, "annotations"):
        name = called.get(reference(entry.get("image_id")), "")
        path = photographs.find(name, file)
        segments = colours.get(str(entry.get("file_name", "")))
        if path is None:
            tally.add("an image of the annotations is missing", name or file)
        elif segments is None:
            tally.add("the PNG file of an image's segments is missing", name)
        else:
            split = stated_split(path, file) or TRAIN
            yield _Image(path, segments, split, _names(entry, categories, tally, name))


def _names(
    entry: Mapping[str, Any], categories: Mapping[Any, str], tally: Tally, image: str
) -> dict[int, str]:
    names = {}
    for segment in entries_of(entry, "segments_info"):
        label = categories.get(reference(segment.get("category_id")))
        number = segment.get("id")
        if label is None or not isinstance(number, int):
            tally.add("a segment's category or number is unknown", image)
        else:
            names[number] = label
    return names


def _drawn(root: Path, image: _Image, classes: Sequence[str]) -> tuple[bytes | None, list[str]]:
    """Return the mask of an image as a PNG, and what is wrong with its segments."""
    try:
        numbers = _numbers(stored_values(of_file(str(root / image.segments))))
    except ImageFault as fault:
        return None, [plain(fault)]
    present, places = np.unique(numbers, return_inverse=True)
    names = [image.names.get(int(number)) for number in present]
    faults = ["a segment in the PNG file is not in the annotations"] * sum(
        name is None and number != 0 for name, number in zip(names, present.tolist(), strict=True)
    )
    values = [IGNORED if name is None else classes.index(name) for name in names]
    mask = np.array(values, np.uint8)[places].reshape(numbers.shape)
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue(), faults


def _numbers(stored: Any) -> NDArray[np.int64]:
    """Return the number of the segment of each pixel: red + 256 · green + 65,536 · blue."""
    if stored.mode not in ("RGB", "RGBA"):
        raise ImageFault("the segments are not a picture in colour")
    red, green, blue = (stored.values[:, :, place].astype(np.int64) for place in range(3))
    return np.asarray(red + (green << 8) + (blue << 16), np.int64)
