"""The images below a folder, found by the names that annotations have for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePath

from engine.data.image_files import files_below
from engine.data.image_suffixes import SUFFIXES
from engine.data.readers.files import split_of


def images_below(root: Path) -> list[Path]:
    """Return the images below a folder, as paths from there; raises ``DataError``."""
    return [file for file in files_below(root) if file.suffix.lower()[1:] in SUFFIXES]


class ImageIndex:
    """Images by file name, and by name without suffix."""

    def __init__(self, images: Iterable[Path]) -> None:
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for image in images:
            self._by_name[image.name].append(image)
            self._by_stem[image.stem].append(image)

    def find(self, name: str, beside: PurePath) -> Path | None:
        """Return the image that annotations in the file ``beside`` call ``name``.

        Of several of that name, the one whose folders are the most like those of the name, of the
        same split, and like those of the annotations, as ``labels/cam1/7.txt`` is of
        ``images/cam1/7.jpg``; ``None`` where there is none.
        """
        parts = PurePath(name.replace("\\", "/")).parts
        if not parts:
            return None
        found = self._by_name.get(parts[-1]) or self._by_stem.get(parts[-1], [])
        if not found:
            return None
        split = split_of(Path(beside))

        def likeness(image: Path) -> tuple[int, bool, int, int]:
            above = image.parts[:-1]
            named, near = _tail(above, parts[:-1]), _tail(above, beside.parts[:-1])
            return named, split_of(image) == split, near, _head(image, beside)

        return max(found, key=likeness)


def _tail(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Return the number of last parts that two paths share."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count


def _head(one: PurePath, other: PurePath) -> int:
    """Return the number of first parts that two paths share."""
    count = 0
    for mine, theirs in zip(one.parts, other.parts, strict=False):
        if mine != theirs:
            break
        count += 1
    return count
