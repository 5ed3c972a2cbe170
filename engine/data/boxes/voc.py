"""Pascal VOC's annotations: an XML file an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from engine.data.boxes.records import Annotations, Tally
from engine.data.image_index import ImageIndex, stated_split
from engine.data.image_sets import listed_splits
from engine.data.raw import TRAIN
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.files.xml_file import XmlFault, root_element

_LARGEST = 5_000_000
"""Bytes of an annotation."""
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(root: Path, files: Sequence[Path], images: ImageIndex) -> Annotations:
    """Read XML files below ``root``.

    As VOC's own, pixels count from 1 and the last one belongs to the box, unless some box begins
    at 0. Where ``ImageSets/Main`` lists images to train on, those in no list are left out: VOC has
    images with annotations of other tasks. Raises :class:`DataError`.
    """
    found = Annotations()
    listed = listed_splits(root, "Main")
    read: list[tuple[str, Path, list[dict[str, Any]]]] = []
    for file in files:
        tree = _tree(root / file, found.tally)
        if tree is None:
            continue
        name = tree.findtext("filename") or ""
        path = _image_of(name, file, images, found.tally)
        if path is None:
            found.tally.add("an image of the annotations is missing", file)
            continue
        split = listed.get(file.stem) or stated_split(path, file, alone=True)
        if not split and TRAIN in listed.values():
            found.tally.add("an image is in no list of ImageSets/Main", file)
            found.left_out.add(root / path)
            continue
        split = split or TRAIN
        read.append((split, path, list(_objects(tree, file, found.tally))))
        found.state_size(root / path, tree.findtext("size/width"), tree.findtext("size/height"))
    if not read:
        raise DataError(f"{plain(root)}: no XML file annotates one of the images.")
    first = _first_pixel(read)
    for split, path, objects in read:
        for one in objects:
            left, top, right, bottom = one["box"] or [0.0] * 4
            one["box"] = one["box"] and [left - first, top - first, right, bottom]
        found.images[split].append((root / path, objects))
    return found


def _image_of(name: str, file: Path, images: ImageIndex, tally: Tally) -> Path | None:
    """Return the image of a file: the one that is called as the file, else as the file says.

    Files keep the ``filename`` of before they and their images were renamed.
    """
    named = images.find(name, file)
    if named is not None and named.stem == file.stem:
        return named
    own = images.find(file.stem, file)
    if own is not None and named is not None:
        reason = "an XML file states the filename of another image: its own name counts"
        tally.add(reason, file, "converted")
    return own or named


def _first_pixel(read: Sequence[tuple[str, Path, list[dict[str, Any]]]]) -> int:
    """Return the number of the first pixel: 0 if some box begins there, else 1.

    A box that begins before its image, or has no area, does not tell; it is counted later.
    """
    boxes = (one["box"] for _, _, objects in read for one in objects if one["box"])
    starts = (
        side
        for left, top, right, bottom in boxes
        if right > left and bottom > top
        for side in (left, top)
    )
    return 0 if any(0 <= side < 1 for side in starts) else 1


def _tree(path: Path, tally: Tally) -> ElementTree.Element | None:
    try:
        tree = root_element(path, _LARGEST)
    except XmlFault as fault:
        tally.add(str(fault), path)
        return None
    return tree if tree.tag == "annotation" else None


def _objects(tree: ElementTree.Element, file: Path, tally: Tally) -> Iterator[dict[str, Any]]:
    for entry in tree.iter("object"):
        label = (entry.findtext("name") or "").strip()
        if not label:
            tally.add("an object has no name", file)
            continue
        sides = [entry.findtext(f"bndbox/{side}") for side in _SIDES]
        try:
            box = [float(side or "") for side in sides]
        except ValueError:
            box = []
        if (entry.findtext("difficult") or "").strip() == "1":
            tally.add("an object marked as difficult is used like any other", file, "converted")
        yield {"label": label, "box": box}
