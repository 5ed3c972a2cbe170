"""A folder of images as tables of paths and classes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from engine.config.data.image_folder import ImageFolderConfig
from engine.data.image_layout import Place, layout_of, named_split
from engine.data.image_suffixes import SUFFIXES
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, Skip
from engine.data.readers.base import DOCUMENTS, IF_WEBDATASET, READERS, remedy_for
from engine.errors import DataError
from engine.files.paths import expanded, is_file, is_folder
from engine.files.sanitize import plain

_OTHERS = frozenset(("svg", "psd", "jxl", "jp2", "dng", "raw", "cr2", "nef"))
"""Suffixes of images in formats that are not read."""
_LISTS = frozenset(READERS) - {".txt", ".tar", ".db", *DOCUMENTS}
"""Suffixes of files that may list images with their classes."""
_OF_SYSTEMS = frozenset(("@eaDir", "#recycle", "__MACOSX", "$RECYCLE.BIN", "lost+found"))
"""Folders of network drives, archives and disks, with thumbnails and what was deleted."""
_LINKED = 2
"""Levels of folders at which links are followed."""


def load_images(config: ImageFolderConfig) -> RawData:
    """The images of each split with their classes, by the names of folders.

    Raises :class:`DataError`.
    """
    root = folder_of(config.path)
    files = list(files_below(root))
    faults = {file: fault for file in files if (fault := _fault(file))}
    images = [file for file in files if file not in faults]
    layout = layout_of(root, images)
    places = {image: layout.place(image.parts[:-1]) for image in images}
    _check(root, files, places.values())
    splits = {split: _table(root, places, split) for split in (TRAIN, VALIDATION, TEST)}
    found = {split: table for split, table in splits.items() if table.num_rows}
    unplaced = {image: place.reason for image, place in places.items() if place.reason}
    return RawData(found, layout.notes, tuple(_skips(faults | unplaced)))


def folder_of(path: str) -> Path:
    """The folder of images that ``data.path`` names; raises :class:`DataError`."""
    root = expanded(path).absolute()
    if not path.strip():
        raise DataError("data.path: no folder is chosen.", "Give a folder of images.")
    if is_file(root):
        archive = IF_WEBDATASET if root.suffix.lower() == ".tar" else remedy_for(root)
        remedy = archive or "Give a folder; a list of images is read by data.kind=file."
        raise DataError(f"{plain(path)} is a file, not a folder.", remedy)
    if not is_folder(root):
        raise DataError(
            f"There is no folder {plain(path)!r}.", f"It is looked for at {plain(root)}."
        )
    return root


def files_below(root: Path) -> Iterator[Path]:
    """The files below a folder that are not hidden, as paths from there.

    Links to folders are followed where splits and classes are, unless they lead back up.
    """
    for place, names, files in os.walk(root, onerror=_unreadable, followlinks=True):
        folder = Path(place)
        below = folder.relative_to(root)
        shallow = len(below.parts) < _LINKED
        names[:] = [
            name
            for name in sorted(names)
            if not _is_hidden(name) and _followed(folder / name, folder, shallow)
        ]
        for name in sorted(files):
            if not _is_hidden(name) and is_file(folder / name):
                yield below / name


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _OF_SYSTEMS


def _unreadable(error: OSError) -> None:
    raise DataError(f"Cannot read the folder {plain(error.filename)}: {error.strerror}.") from error


def _followed(entry: Path, folder: Path, shallow: bool) -> bool:
    if not entry.is_symlink():
        return True
    return shallow and not folder.resolve().is_relative_to(entry.resolve())


def _fault(file: Path) -> str:
    """Return the reason why a file is no image; empty for an image."""
    if not _is_utf8(file):
        return "its name is not UTF-8"
    suffix = file.suffix.lower()
    if suffix[1:] in SUFFIXES:
        return ""
    if suffix[1:] in _OTHERS:
        return f"images in the format {suffix[1:].upper()} cannot be read"
    return f"{plain(suffix or file.name, 20)} is not an image"


def _check(root: Path, files: Iterable[Path], places: Iterable[Place]) -> None:
    """Refuse a folder without classes, and one whose classes stand in a list beside the images."""
    classes = {place.label for place in places if place.split == TRAIN}
    found = [file for file in files if file.suffix.lower() in _LISTS]
    lists = [file for file in found if "submission" not in file.stem.lower()] or found
    if lists and (len(classes) < 2 or all(map(named_split, classes))):
        listed = root / lists[0] if len(lists) == 1 else root
        raise DataError(
            f"{plain(root)} has no folders of classes, but a list, {plain(lists[0])}.",
            f"If it names the images and their classes: data.kind=file data.path={plain(listed)}.",
        )
    if not classes and any(file.suffix.lower() == ".tar" for file in files):
        raise DataError(f"{plain(root)} has tar files in place of images.", IF_WEBDATASET)
    if not classes:
        raise DataError(
            f"{plain(root)} has no images in folders:",
            "there should be a folder for each class, such as cats/1.jpg and dogs/1.jpg.",
        )


def _table(root: Path, places: Mapping[Path, Place], split: str) -> pa.Table:
    """Paths and classes of a split, sorted by class."""
    own = sorted((place.label, image) for image, place in places.items() if place.split == split)
    paths = pa.array([str(root / image) for _, image in own], pa.string())
    return pa.table({"image": paths, "label": pa.array([label for label, _ in own], pa.string())})


def _skips(left_out: Mapping[Path, str]) -> Iterator[Skip]:
    """Count the files that are left out by their reason."""
    examples: dict[str, Path] = {}
    for file, reason in left_out.items():
        examples.setdefault(reason, file)
    for reason, count in Counter(left_out.values()).items():
        yield Skip(reason, count, plain(examples[reason]))


def _is_utf8(path: Path) -> bool:
    """Whether tables can hold the name; others would not even be shown right."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
