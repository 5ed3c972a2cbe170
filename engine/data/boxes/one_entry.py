"""One entry for each image, where several annotations are of the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.data.boxes.records import Annotations, Tally
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.readers.files import split_of

_BY_RIGHT = (VALIDATION, TEST, TRAIN)
"""Splits in the order of their right to an image: held out images are not trained on."""


def one_entry_each(found: Annotations, root: Path) -> None:
    """Leave each image in one split, with the objects of all its entries there.

    An image belongs to the split that its folder names, as far as it is annotated for that: an
    entry of another split was meant for an image of the same name that is missing. Otherwise the
    held out splits keep it, as of one file for all images beside one for each split.
    """
    entries: dict[Path, dict[str, list[list[dict[str, Any]]]]] = defaultdict(dict)
    for split, images in found.images.items():
        for path, own in images:
            entries[path].setdefault(split, []).append(own)
    kept = {path: _kept(path, by_split, found, root) for path, by_split in entries.items()}
    for split, images in found.images.items():
        paths = dict.fromkeys(path for path, _ in images)
        images[:] = [
            (path, _joined(path, entries[path][split], found))
            for path in paths
            if kept[path] == split
        ]


def rightful_split(image: Path, entries: Mapping[str, int], tally: Tally) -> str:
    """Return the split to which an image, a path from the root, belongs.

    ``entries`` are the numbers of its entries by split; those of others are counted.
    """
    named = split_of(image.parent)
    split = named if named in entries else next(own for own in _BY_RIGHT if own in entries)
    for other, count in entries.items():
        for _ in range(count if other != split else 0):
            reason = f"an image that is annotated for {split} and for {other} is used for {split}"
            tally.add(f"{reason} alone", image)
    return split


def _kept(
    path: Path, by_split: dict[str, list[list[dict[str, Any]]]], found: Annotations, root: Path
) -> str:
    """Return the split of an image, and count the entries of others."""
    numbers = {split: len(entries) for split, entries in by_split.items()}
    return rightful_split(path.relative_to(root), numbers, found.tally)


def _joined(
    path: Path, entries: list[list[dict[str, Any]]], found: Annotations
) -> list[dict[str, Any]]:
    """Return the objects of all entries of an image, equal ones once."""
    if len(entries) == 1:
        return entries[0]
    for _ in entries[1:]:
        reason = "an image is annotated more than once: the objects are put together"
        found.tally.add(reason, path, "converted")
    objects: list[dict[str, Any]] = []
    for own in entries:
        objects += [one for one in own if one not in objects]
    return objects
