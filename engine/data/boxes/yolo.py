"""YOLO's annotations: a text file an image, with shares of its sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from engine.data.boxes.records import Annotations, Tally
from engine.data.image_index import ImageIndex
from engine.data.image_limits import ImageFault
from engine.data.image_record import of_file
from engine.data.images import in_threads, upright_size
from engine.data.raw import TRAIN
from engine.data.readers.files import split_of
from engine.errors import DataError
from engine.files.sanitize import plain

_NAMES = ("classes.txt", "obj.names", "_darknet.labels")
"""Files with a class a line, in the order of their numbers."""
_NO_LABELS = frozenset({*_NAMES, "readme.txt", "requirements.txt", "train.txt", "val.txt",
                        "test.txt", "valid.txt"})  # fmt: skip
_LARGEST = 5_000_000
_BOX = 4
"""Numbers of a box; an outline has more."""


def read_yolo(root: Path, files: Sequence[Path], images: Sequence[Path]) -> Annotations:
    """Read text files below ``root``, which are called as their images; others are background.

    Raises :class:`DataError`.
    """
    found = Annotations()
    names = _names(root, files)
    labels = [f for f in files if f.suffix == ".txt" and f.name.lower() not in _NO_LABELS]
    if not labels:
        lists = [file for file in files if file.suffix.lower() == ".csv"]
        raise DataError(
            f"{plain(root)} has no annotations: text files called as the images, JSON or XML.",
            f"If {plain(lists[0])} lists boxes: data.kind=file data.path={plain(root / lists[0])}."
            if lists
            else "Set data.format, or look at the folder.",
        )
    index = ImageIndex(images)
    by_image: dict[Path, Path] = {}
    for label in labels:
        image = index.find(label.stem, label)
        if image is None:
            found.tally.add("an image of the annotations is missing", label)
        else:
            by_image[image] = label
    sizes = dict(zip(images, in_threads(lambda image: _size(root / image), images), strict=True))
    for image in images:
        own = by_image.get(image)
        if own is None:
            found.tally.add("an image without annotations is background", image, "converted")
        size = sizes[image]
        lines = _lines(root / own) if own is not None and size is not None else []
        objects = list(_objects(lines, size or (1, 1), names, own, found.tally))
        found.images[split_of(image.parent) or TRAIN].append((root / image, objects))
    found.classes = list(names.values())
    return found


def _size(path: Path) -> tuple[int, int] | None:
    """Return width and height; ``None`` for an image that is left out later, with its fault."""
    try:
        return upright_size(of_file(str(path)))
    except ImageFault:
        return None


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LARGEST:
            return []
        return path.read_text(errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{plain(path)} cannot be read: {error.strerror}.") from error


def _objects(
    lines: Sequence[str],
    size: tuple[int, int],
    names: Mapping[int, str],
    file: Path | None,
    tally: Tally,
) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{file}, line {number}"
        try:
            code, *shares = (float(part) for part in line.split())
            known = int(code)
            left, top, right, bottom = _sides(shares)
        except (ValueError, OverflowError):  # a code may be inf
            tally.add("a line is not a class and four numbers", place)
            continue
        label = names.get(known) if names else str(known)
        if label is None or code != known:
            tally.add("an object's class is unknown", place)
            continue
        if len(shares) > _BOX:
            tally.add("an outline is read as the box around it", place, "converted")
        box = [left * size[0], top * size[1], right * size[0], bottom * size[1]]
        yield {"label": label, "box": box}


def _sides(shares: Sequence[float]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box, or of an outline of three points or more.

    Raises ``ValueError`` for other numbers, such as a box with a score behind it.
    """
    if len(shares) > _BOX + 1 and len(shares) % 2 == 0:
        across, down = shares[::2], shares[1::2]
        return min(across), min(down), max(across), max(down)
    x, y, width, height = shares
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _names(root: Path, files: Sequence[Path]) -> dict[int, str]:
    """Return the names of classes by number: those of a YAML file, or a list; else none."""
    for file in files:
        if file.suffix in (".yaml", ".yml"):
            named = _names_in(root / file)
            if named:
                return named
    for file in files:
        if file.name.lower() in _NAMES:
            lines = [line.strip() for line in _lines(root / file)]
            return dict(enumerate(line for line in lines if line))
    return {}


def _names_in(path: Path) -> dict[int, str]:
    try:
        # Every scalar as it is written: a class may be called no, 01 or 1.10.
        record = yaml.load(path.read_text(errors="replace"), yaml.BaseLoader)
    except (OSError, yaml.YAMLError, RecursionError) as error:
        raise DataError(f"{plain(path)} cannot be read: {plain(error)}.") from error
    names = record.get("names") if isinstance(record, dict) else None
    if isinstance(names, list):
        return {number: str(name or number) for number, name in enumerate(names)}
    if isinstance(names, dict) and all(str(number).isdecimal() for number in names):
        numbered = sorted((int(number), name) for number, name in names.items())
        return {number: str(name or number) for number, name in numbered}
    return {}
