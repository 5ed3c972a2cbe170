"""The split of each image as YOLO's ``data.yaml`` and lists of images name it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from engine.data.image_index import ImageIndex
from engine.data.image_suffixes import SUFFIXES
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.readers.files import split_of

_KEYS = {"train": TRAIN, "val": VALIDATION, "valid": VALIDATION, "test": TEST}
_LISTED = 1 << 20
"""The weight of a list of images beside a folder, which weighs by its depth."""


class YoloSplits:
    """The splits of images by the folders and lists that are named for them.

    Folders and lists may be those of another machine: the longest end of a path that exists below
    the root counts. A list goes before a folder, and a deeper folder before one around it.
    """

    def __init__(self, images: Sequence[Path]) -> None:
        self._images = images
        self._index = ImageIndex(images)
        self._folders = {folder for image in images for folder in image.parents}
        self._found: dict[Path, tuple[int, str]] = {}
        self._names_training = False

    def read(self, record: Mapping[str, Any], lists: Mapping[Path, Sequence[str]]) -> None:
        """Take in the content of ``data.yaml``, and text files with a path a line.

        Lists that the file does not name go by their own names, such as ``autosplit_val.txt``.
        """
        listed: dict[Path, str] = {}
        for key, split in _KEYS.items():
            for written in _paths(record.get(key)):
                file = next((end for end in _ends(written) if end in lists), None)
                if file is not None:
                    listed[file] = split
                elif folder := next((end for end in _ends(written) if end in self._folders), None):
                    self._add_folder(folder, split)
        for file, lines in lists.items():
            if split := listed.get(file) or split_of(Path(file.name)):
                self._add_list(file, lines, split)
        self._names_training = any(split == TRAIN for _, split in self._found.values())

    def of(self, image: Path) -> str:
        """Return the split of an image; empty where there are splits to train on without it."""
        _, split = self._found.get(image, (0, split_of(image.parent)))
        return split or ("" if self._names_training else TRAIN)

    def _add_folder(self, folder: Path, split: str) -> None:
        depth = len(folder.parts) + 1
        for image in self._images:
            if folder in image.parents and self._found.get(image, (0, ""))[0] < depth:
                self._found[image] = (depth, split)

    def _add_list(self, file: Path, lines: Sequence[str], split: str) -> None:
        """Add the images of a list; one that is in several is not trained on."""
        for line in lines:
            image = self._index.find(line.strip(), file) if line.strip() else None
            if image is not None and (
                split != TRAIN or self._found.get(image, (0, ""))[0] < _LISTED
            ):
                self._found[image] = (_LISTED, split)


def lists_images(lines: Sequence[str]) -> bool:
    """Whether the first line that is not empty is the path of an image."""
    first = next((line.strip() for line in lines if line.strip()), "")
    return PurePath(first).suffix.lower()[1:] in SUFFIXES


def _paths(given: Any) -> list[str]:
    many = given if isinstance(given, list) else [given]
    return [one for one in many if isinstance(one, str) and one.strip()]


def _ends(written: str) -> Iterator[Path]:
    """Yield the ends of a path, the longest first."""
    parts = [part for part in PurePath(written.strip().replace("\\", "/")).parts
             if part not in (".", "..", "/")]  # fmt: skip
    yield from (Path(*parts[start:]) for start in range(len(parts)))
