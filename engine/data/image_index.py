"""The images below a folder, found by the names that annotations have for them."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePath

from engine.data.image_files import files_below
from engine.data.image_suffixes import SUFFIXES
from engine.data.readers.files import split_of


def images_below(root: Path) -> list[Path]:
    """Return the images below a folder, as paths from there; raises ``DataError``."""
    return [file for file in files_below(root) if file.suffix.lower()[1:] in SUFFIXES]


def stated_split(image: Path, file: Path, alone: bool = False) -> str:
    """Return the split that the file of an image's annotations, or else its folder, names.

    A file of this image ``alone`` is called as it, so that only its folder tells. Empty for none.
    """
    return split_of(file.parent if alone else file) or split_of(image.parent)


class ImageIndex:
    """Images by file name, and by name without suffix."""

    def __init__(self, images: Iterable[Path]) -> None:
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for image in images:
            self._by_name[_composed(image.name)].append(image)
            self._by_stem[_composed(image.stem)].append(image)

    def find(self, name: str, beside: PurePath) -> Path | None:
        """Return the image that annotations in the file ``beside`` call ``name``.

        Of several of that name, the one whose folders are the most like those of the name, of the
        same split, and like those of the annotations, as ``labels/cam1/7.txt`` is of
        ``images/cam1/7.jpg``; ``None`` where there is none.
        """
        parts = PurePath(name.replace("\\", "/")).parts
        if not parts:
            return None
        called = self._called(parts[-1])
        if len(called) == 1:
            return called[0]

        def nearness(image: Path) -> tuple[int, bool, int, int]:
            return (_tail(image.parts[:-1], parts[:-1]), *likeness(image, beside))

        return max(called, key=nearness, default=None)

    def namesakes(self, name: str) -> int:
        """Return the number of images that are called so in any folder."""
        return len(self._called(PurePath(name.replace("\\", "/")).name))

    def _called(self, name: str) -> list[Path]:
        name = _composed(name)
        return self._by_name.get(name) or self._by_stem.get(name, [])


def likeness(image: Path, beside: PurePath) -> tuple[bool, int, int]:
    """Return how likely an annotation file is that of an image, by split and folders."""
    same = split_of(image.parent) == split_of(Path(beside))
    return same, _tail(image.parts[:-1], beside.parts[:-1]), _head(image, beside)


def _composed(name: str) -> str:
    """Return a name with accents as one character each, which some systems take apart."""
    return unicodedata.normalize("NFC", name)


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
