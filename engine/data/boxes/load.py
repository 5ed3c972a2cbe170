"""A folder of images and boxes as tables, in the formats of many tools."""

from __future__ import annotations

from pathlib import Path

from engine.config.data.image_boxes import ImageBoxesConfig
from engine.data.boxes.coco import read_coco
from engine.data.boxes.cvat import read_cvat
from engine.data.boxes.drawn import read_drawn
from engine.data.boxes.records import Annotations
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
    by_suffix = {
        suffix: [file for file in files if file.suffix.lower() == suffix]
        for suffix in (".xml", ".json")
    }
    format = config.format
    if format == "auto":
        format = "voc" if by_suffix[".xml"] else "coco" if by_suffix[".json"] else "yolo"
    found = (
        _of_xml(root, by_suffix[".xml"], ImageIndex(images))
        if format == "voc"
        else _of_json(root, by_suffix[".json"], ImageIndex(images))
        if format == "coco"
        else read_yolo(root, _others(files, images), images)
    )
    raw = found.raw()
    if TRAIN not in raw.splits:
        raise DataError(f"{plain(root)} has no annotated images to train on.")
    return raw


def _of_xml(root: Path, files: list[Path], images: ImageIndex) -> Annotations:
    return read_cvat(root, files, images) or read_voc(root, files, images)


def _of_json(root: Path, files: list[Path], images: ImageIndex) -> Annotations:
    try:
        return read_coco(root, files, images)
    except DataError:
        drawn = read_drawn(root, files, images)
        if drawn is None:
            raise
        return drawn


def _others(files: list[Path], images: list[Path]) -> list[Path]:
    known = set(images)
    return [file for file in files if file not in known]
