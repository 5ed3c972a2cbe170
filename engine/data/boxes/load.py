"""A folder of images and boxes as tables, in the formats of many tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.data.boxes.coco import read_coco
from engine.data.boxes.cvat import read_cvat
from engine.data.boxes.drawn import read_drawn
from engine.data.boxes.instance_masks import read_instance_masks
from engine.data.boxes.one_entry import one_entry_each
from engine.data.boxes.records import Annotations
from engine.data.boxes.via import is_via_table
from engine.data.boxes.voc import read_voc
from engine.data.boxes.yolo import read_yolo
from engine.data.image_files import files_below, folder_of
from engine.data.image_index import ImageIndex
from engine.data.image_suffixes import SUFFIXES
from engine.data.raw import TRAIN, RawData
from engine.errors import DataError
from engine.files.sanitize import plain


def load_boxes(config: ImageBoxesConfig) -> RawData:
    """The images of each split with their objects. Raises :class:`DataError`."""
    root = folder_of(config.path)
    files = list(files_below(root))
    images = [file for file in files if file.suffix.lower()[1:] in SUFFIXES]
    if not images:
        raise DataError(f"{plain(root)} has no images.", "Give the folder above the images.")
    found = _in_format(config.format, root, files, images)
    one_entry_each(found, root)
    _count_unnamed(found, root, images)
    raw = found.raw()
    if TRAIN not in raw.splits:
        lost = max(found.tally.notes(), key=lambda note: note.rows or 0, default=None)
        why = f" {lost.rows or 0:,} left out: {lost.why}." if lost else ""
        raise DataError(f"{plain(root)} has no annotated images to train on.{why}")
    return raw


def _in_format(format: str, root: Path, files: list[Path], images: list[Path]) -> Annotations:
    """Return the annotations in a format, or in the first of which there are some.

    Files of other purposes lie beside annotations, such as ``notes.json`` of Label Studio. Where
    no format is found, the error is that of the first whose files are there.
    """
    by_suffix = {end: [file for file in files if file.suffix.lower() == end]
                 for end in (".xml", ".json")}  # fmt: skip
    drawn = [*by_suffix[".json"], *(file for file in files if _is_via(root, file))]
    readers: dict[str, Callable[[], Annotations]] = {
        "voc": lambda: _of_xml(root, by_suffix[".xml"], ImageIndex(images)),
        "coco": lambda: _of_json(root, drawn, ImageIndex(images)),
        "yolo": lambda: read_yolo(root, _others(files, images), images),
    }
    if format != "auto":
        return readers[format]()
    stems = {image.stem for image in images}
    has_labels = any(file.suffix.lower() == ".txt" and file.stem in stems for file in files)
    there = {"voc": by_suffix[".xml"], "coco": drawn, "yolo": has_labels}
    fault: DataError | None = None
    for name in [name for name, own in there.items() if own] or ["yolo"]:
        try:
            return readers[name]()
        except DataError as error:
            fault = fault or error
    if (united := read_instance_masks(root, images)) is not None:
        return united
    assert fault is not None
    raise fault


def _count_unnamed(found: Annotations, root: Path, images: list[Path]) -> None:
    """Count the images beside those of the annotations that no annotation names."""
    named = {path for own in found.images.values() for path, _ in own}
    folders = {path.parent for path in named}
    for image in images:
        path = root / image
        if path.parent in folders and path not in named and path not in found.left_out:
            found.tally.add("an image that no annotation names is not used", image)


def _of_xml(root: Path, files: list[Path], images: ImageIndex) -> Annotations:
    return read_cvat(root, files, images) or read_voc(root, files, images)


def _of_json(root: Path, files: list[Path], images: ImageIndex) -> Annotations:
    try:
        return read_coco(root, [file for file in files if not _is_csv(file)], images)
    except DataError:
        drawn = read_drawn(root, files, images)
        if drawn is None:
            raise
        return drawn


def _is_via(root: Path, file: Path) -> bool:
    return _is_csv(file) and is_via_table(root / file)


def _is_csv(file: Path) -> bool:
    return file.suffix.lower() == ".csv"


def _others(files: list[Path], images: list[Path]) -> list[Path]:
    known = set(images)
    return [file for file in files if file not in known]
