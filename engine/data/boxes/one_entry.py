"""One entry for each image, where several annotations are of the same."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from engine.data.boxes.records import Annotations
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


def _kept(
    path: Path, by_split: dict[str, list[list[dict[str, Any]]]], found: Annotations, root: Path
) -> str:
    """Return the split of an image, and count the entries of others."""
    named = split_of(path.relative_to(root).parent)
    split = named if named in by_split else next(own for own in _BY_RIGHT if own in by_split)
    for other in by_split.keys() - {split}:
        for _ in by_split[other]:
            reason = f"an image that is annotated for {split} and for {other} is used for {split}"
            found.tally.add(f"{reason} alone", path)
    return split


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
