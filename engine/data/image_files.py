"""A folder of images as tables of paths and classes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa

from engine.config.data.image_folder import ImageFolderConfig
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, Skip
from engine.data.readers.files import split_of
from engine.errors import DataError
from engine.files.paths import expanded, is_folder
from engine.files.sanitize import plain

_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        "png",
        "jpg",
        "jpeg",
        "jpe",
        "jfif",
        "webp",
        "bmp",
        "gif",
        "tif",
        "tiff",
        "ppm",
        "pgm",
    )
)


def load_images(config: ImageFolderConfig) -> RawData:
    """The images of each split with their classes, by the names of folders.

    Raises :class:`DataError`.
    """
    root = _root(config.path)
    folders = {split: folder for folder in _folders(root) if (split := split_of(Path(folder.name)))}
    if TRAIN not in folders or not _folders(folders[TRAIN]):
        # A class may well be called "test" or "train".
        folders = {TRAIN: root}
    splits, others = {}, Counter[str]()
    for split in (TRAIN, VALIDATION, TEST):
        if split in folders:
            splits[split] = _table(folders[split], others)
    if not splits[TRAIN].num_rows:
        raise DataError(
            f"{plain(folders[TRAIN])} has no images in folders:",
            "there should be a folder for each class, such as cats/1.jpg and dogs/1.jpg.",
        )
    skips = [Skip(reason, count) for reason, count in others.items()]
    found = {split: table for split, table in splits.items() if table.num_rows}
    return RawData(found, (), tuple(skips))


def _root(path: str) -> Path:
    root = expanded(path).absolute()
    if not path.strip():
        raise DataError("data.path: no folder is chosen.", "Give a folder of images.")
    if not is_folder(root):
        raise DataError(
            f"There is no folder {plain(path)!r}.", f"It is looked for at {plain(root)}."
        )
    return root


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(
            entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")
        )
    except OSError as error:
        raise DataError(f"Cannot read the folder {plain(root)}: {error.strerror}.") from error


def _table(folder: Path, others: Counter[str]) -> pa.Table:
    """Paths and classes; what else there is is counted in ``others``."""
    paths, labels = [], []
    for place in _folders(folder):
        for file in sorted(place.rglob("*")):
            if file.name.startswith(".") or not file.is_file():
                continue
            if not _is_utf8(file):
                others["its name is not UTF-8"] += 1
            elif file.suffix.lower() in _SUFFIXES:
                paths.append(str(file))
                labels.append(place.name)
            else:
                others[f"{plain(file.suffix.lower() or file.name, 20)} is not an image"] += 1
    return pa.table({"image": pa.array(paths, pa.string()), "label": pa.array(labels, pa.string())})


def _is_utf8(path: Path) -> bool:
    """Whether tables can hold the name; others would not even be shown right."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
