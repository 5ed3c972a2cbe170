"""YOLO's annotations: a text file an image, with shares of its sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.data.boxes.records import Annotations, Tally
from engine.data.boxes.shapes import Points
from engine.data.boxes.yolo_settings import Settings, key_point_numbers, names_of, settings_of
from engine.data.boxes.yolo_splits import YoloSplits, lists_images
from engine.data.image_index import ImageIndex, likeness
from engine.data.image_limits import ImageFault
from engine.data.image_record import of_file
from engine.data.images import upright_size
from engine.data.readers.files import split_of
from engine.data.threads import quick_or_in_threads
from engine.errors import DataError
from engine.files.sanitize import plain

_NAMES = ("classes.txt", "obj.names", "_darknet.labels")
"""Files with a class a line, in the order of their numbers."""
_NO_LABELS = frozenset({*_NAMES, "requirements.txt", "train.txt", "val.txt", "test.txt",
                        "valid.txt"})  # fmt: skip
_README = "readme"
"""Beginning of the names of files for people, such as ``README.roboflow.txt``."""
_LARGEST = 5_000_000
"""Bytes of the annotations of an image."""
_LARGEST_LIST = 500_000_000
"""Bytes of a list of images."""
_BOX = 4
"""Numbers of a box; an outline has more."""


def read_yolo(root: Path, files: Sequence[Path], images: Sequence[Path]) -> Annotations:
    """Read text files below ``root``, which are called as their images; others are background.

    Raises :class:`DataError`.
    """
    found = Annotations()
    for image, split, lines in _annotated(root, files, images, found):
        found.images[split].append((root / image, list(lines.objects())))
    return found


def read_yolo_outlines(
    root: Path, files: Sequence[Path], images: Sequence[Path], tally: Tally
) -> Iterator[tuple[Path, str, list[tuple[str, Points]]]]:
    """Yield each image, a path from ``root``, its split, and its outlines with their classes.

    Boxes, which have no outline, are counted. Raises :class:`DataError`.
    """
    for image, split, lines in _annotated(root, files, images, Annotations(tally=tally)):
        yield image, split, list(lines.outlines())


def _annotated(
    root: Path, files: Sequence[Path], images: Sequence[Path], found: Annotations
) -> Iterator[tuple[Path, str, _Lines]]:
    """Yield the images of the splits with their lines; the classes are noted in ``found``."""
    settings = settings_of(root, files)
    names, points = _names(root, files, settings), key_point_numbers(settings)
    labels, splits = _labels_and_splits(root, files, images, settings)
    if not labels:
        raise _without_labels(root, files)
    by_image = _by_image(labels, images, found.tally)
    sizes = dict(
        zip(images, quick_or_in_threads(lambda image: _size(root / image), images), strict=True)
    )
    found.classes = list(names.values())
    for image in images:
        own, split = by_image.get(image), splits.of(image)
        if not split:
            found.tally.add("an image is in none of the splits that are named", image)
            found.left_out.add(root / image)
            continue
        if own is None:
            found.tally.add("an image without annotations is background", image, "converted")
        size = sizes[image]
        lines = _lines(root / own) if own is not None and size is not None else []
        yield image, split, _Lines(size or (1, 1), names, points, own, found.tally, lines)


def _without_labels(root: Path, files: Sequence[Path]) -> DataError:
    lists = [file for file in files if file.suffix.lower() == ".csv"]
    listed = root / lists[0] if len(lists) == 1 else root  # a list for each split
    return DataError(
        f"{plain(root)} has no annotations: text files called as the images, JSON or XML.",
        f"If {plain(lists[0])} lists boxes: data.kind=file data.path={plain(listed)}."
        if lists
        else "Set data.format, or look at the folder.",
    )


def _labels_and_splits(
    root: Path, files: Sequence[Path], images: Sequence[Path], settings: Settings
) -> tuple[list[Path], YoloSplits]:
    """Return the files of annotations, and the splits by the settings and the other text files."""
    texts = [file for file in files if file.suffix.lower() == ".txt"]
    stems = {image.stem for image in images}
    lists = {
        file: lines
        for file in texts
        if (file.stem not in stems or file.name.lower() in _NO_LABELS)
        and lists_images(lines := _lines(root / file, _LARGEST_LIST))
    }
    splits = YoloSplits(images)
    splits.read(settings, lists)
    labels = [
        file
        for file in texts
        if file not in lists
        and file.name.lower() not in _NO_LABELS
        and not file.name.lower().startswith(_README)
    ]
    return labels, splits


def _by_image(labels: Sequence[Path], images: Sequence[Path], tally: Tally) -> dict[Path, Path]:
    """Return the annotations of each image; those whose own image is missing are counted.

    Of several that are called as an image, those in the folder most like its own are its own.
    """
    index, found = ImageIndex(images), dict[Path, Path]()
    for label in labels:
        image = index.find(label.stem, label)
        if image is None or _of_other_splits(image, label):
            tally.add("an image of the annotations is missing", label)
            continue
        pair = [found[image], label] if image in found else [label]
        found[image] = max(pair, key=partial(likeness, image)) if len(pair) > 1 else label
        for lost in pair:
            if lost != found[image]:
                tally.add("an image of the annotations is missing", lost)
    return found


def _of_other_splits(image: Path, label: Path) -> bool:
    """Whether the folders of an image and of annotations called so are of different splits."""
    mine, theirs = split_of(image.parent), split_of(label.parent)
    return bool(mine and theirs and mine != theirs)


def _size(path: Path) -> tuple[int, int] | None:
    """Return width and height; ``None`` for an image that is left out later, with its fault."""
    try:
        return upright_size(of_file(str(path)))
    except ImageFault:
        return None


def _lines(path: Path, most: int = _LARGEST) -> list[str]:
    try:
        if path.stat().st_size > most:
            return []
        return path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{plain(path)} cannot be read: {error.strerror}.") from error


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of an image of ``size``, and where objects that are left out are counted."""

    size: tuple[int, int]
    names: Mapping[int, str]
    points: int
    """Numbers of key points behind each box."""
    file: Path | None
    tally: Tally
    lines: Sequence[str]

    def objects(self) -> Iterator[dict[str, Any]]:
        """Yield a class and a box for each line that has them."""
        wide, high = self.size
        for label, shares, place in self._marks():
            if len(shares) > _BOX:
                self.tally.add("an outline is read as the box around it", place, "converted")
            left, top, right, bottom = _sides(shares)
            yield {"label": label, "box": [left * wide, top * high, right * wide, bottom * high]}

    def outlines(self) -> Iterator[tuple[str, Points]]:
        """Yield a class and an outline in pixels for each line that has them."""
        wide, high = self.size
        for label, shares, place in self._marks():
            if len(shares) > _BOX:
                pairs = zip(shares[::2], shares[1::2], strict=True)
                yield label, [(x * wide, y * high) for x, y in pairs]
            else:
                self.tally.add("a box has no outline, and is not drawn", place)

    def _marks(self) -> Iterator[tuple[str, Sequence[float], str]]:
        """Yield class, box or outline, and place of each line that has them; count the others."""
        for number, line in enumerate(self.lines, 1):
            if line.strip():
                place = f"{self.file}, line {number}"
                try:
                    code, *shares = (float(part) for part in line.split())
                    known = int(code)
                    shares = list(self._without_points(shares, place))
                    _sides(shares)
                except (ValueError, OverflowError):  # a code may be inf
                    self.tally.add(_fault(line), place)
                    continue
                label = self.names.get(known) if self.names else str(known)
                if label is None or code != known:
                    self.tally.add("an object's class is unknown", place)
                    continue
                yield label, shares, place

    def _without_points(self, shares: Sequence[float], place: str) -> Sequence[float]:
        if not self.points or len(shares) != _BOX + self.points:
            return shares
        self.tally.add("key points are not used, only the box before them", place, "converted")
        return shares[:_BOX]


def _fault(line: str) -> str:
    """Return why a line is left out: predictions are written with a score behind their place."""
    count = len(line.split())
    if count >= _BOX + 2 and count % 2 == 0 and all(map(_is_number, line.split())):
        return "a line has a number behind its box or outline, as predictions have their score"
    return "a line is not a class and four numbers"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _sides(shares: Sequence[float]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box, or of an outline of three points or more.

    Raises ``ValueError`` for other numbers, such as a box with a score behind it.
    """
    if len(shares) > _BOX + 1 and len(shares) % 2 == 0:
        across, down = shares[::2], shares[1::2]
        return min(across), min(down), max(across), max(down)
    x, y, width, height = shares
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _names(root: Path, files: Sequence[Path], settings: Settings) -> dict[int, str]:
    """Return the names of classes by number: those of a YAML file, or a list; else none."""
    if named := names_of(settings):
        return named
    for file in files:
        if file.name.lower() in _NAMES:
            lines = [line.strip() for line in _lines(root / file)]
            return dict(enumerate(line for line in lines if line))
    return {}
