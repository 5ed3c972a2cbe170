"""Folders with a mask for each object of an image, as of nuclei: ``a/images``, ``a/masks``."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from engine.data.boxes.records import ONLY_CLASS, Annotations, Tally
from engine.data.image_limits import ImageFault
from engine.data.image_record import IMAGE_RECORD, of_bytes, of_file
from engine.data.mask_pairs import MaskNames, split_by_folder
from engine.data.masks import object_pixels
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, Skip
from engine.data.threads import in_threads
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

CLASSES = ("0=background", f"1={ONLY_CLASS}")
_Pixels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Read:
    """The united objects of an image, the box of each, and what is wrong with masks."""

    united: _Pixels | None
    boxes: Sequence[tuple[float, float, float, float]]
    overlap: int
    faults: Sequence[tuple[str, Path]]


def load_instance_masks(root: Path, images: Sequence[Path], names: MaskNames) -> RawData | None:
    """Return images with the union of the masks of their objects; ``None`` for other folders.

    Raises :class:`DataError` where no image can be trained on.
    """
    grouped = names.groups(images)
    if grouped is None:
        return None
    groups, without = grouped
    tally, rows, overlaps, masks = Tally(), defaultdict[str, list[tuple[Path, bytes]]](list), 0, 0
    for image, read in _all_read(root, groups, tally):
        if read.united is not None:
            rows[split_by_folder(image)].append((image, _png(read.united)))
            overlaps, masks = overlaps + bool(read.overlap), masks + len(read.boxes)
    splits = {
        split: pa.table({
            "image": pa.array([str(root / path) for path, _ in own], pa.string()),
            "mask": pa.array([of_bytes(mask) for _, mask in own], IMAGE_RECORD),
        })
        for split in (TRAIN, VALIDATION, TEST)
        if (own := sorted(rows[split]))
    }  # fmt: skip
    if TRAIN not in splits:
        raise DataError(f"{plain(root)} has no images with masks to train on.")
    why = "masks of single objects are united for each image; the rest is background"
    notes = [Note(why, "mask", "masks", masks, kind="converted"), *tally.notes()]
    if overlaps:
        notes.append(Note("an image has objects that overlap", "mask", rows=overlaps, kind="doubt"))
    lost = "there is no mask of its name"
    skips = (Skip(lost, len(without), plain(without[0])),) if without else ()
    return RawData(splits, tuple(notes), skips)


def read_instance_masks(root: Path, images: Sequence[Path]) -> Annotations | None:
    """Return the box around the mask of each object; ``None`` for other folders."""
    grouped = MaskNames().groups(images)
    if grouped is None:
        return None
    found = Annotations(classes=[ONLY_CLASS])
    groups, without = grouped
    for image, read in _all_read(root, groups, found.tally):
        boxes = [{"label": ONLY_CLASS, "box": list(box)} for box in read.boxes]
        found.images[split_by_folder(image)].append((root / image, boxes))
        for _ in boxes:
            why = f"a mask is read as the box around it, of the class {ONLY_CLASS}"
            found.tally.add(why, image, "converted")
    for image in without:
        found.tally.add("an image has no masks of objects", image)
    return found


def _all_read(
    root: Path, groups: dict[Path, list[Path]], tally: Tally
) -> Iterator[tuple[Path, _Read]]:
    images = list(groups)
    read = in_threads(lambda image: _read(root, groups[image]), images)
    for image, one in zip(images, read, strict=True):
        for fault, mask in one.faults:
            tally.add(fault, mask)
        yield image, one


def _read(root: Path, masks: Sequence[Path]) -> _Read:
    united: _Pixels | None = None
    boxes, overlap = list[tuple[float, float, float, float]](), 0
    faults: list[tuple[str, Path]] = []
    for mask in masks:
        try:
            inside = object_pixels(of_file(str(root / mask)))
        except ImageFault as fault:
            faults.append((plain(fault), mask))
            continue
        if united is not None and united.shape != inside.shape:
            faults.append(("the mask has another size than others of its image", mask))
        elif not inside.any():
            faults.append(("the mask of an object is empty", mask))
        else:
            boxes.append(_around(inside))
            overlap += 0 if united is None else int((united & inside).sum())
            united = inside if united is None else united | inside
    return _Read(united, boxes, overlap, faults)


def _around(inside: _Pixels) -> tuple[float, float, float, float]:
    rows, columns = (np.flatnonzero(np.any(inside, axis=axis)) for axis in (1, 0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _png(inside: _Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(inside.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
