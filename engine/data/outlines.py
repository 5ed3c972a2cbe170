"""Masks that are drawn from outlines: those of COCO, CVAT, LabelMe and VIA."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from engine.data.boxes.coco import (
    SAME_NAME,
    doubtful_names,
    entries_of,
    reference,
    without_other_tasks,
)
from engine.data.boxes.coco_runs import runs_of
from engine.data.boxes.cvat import marked_images
from engine.data.boxes.labelme_pixels import pixel_runs
from engine.data.boxes.one_entry import rightful_split
from engine.data.boxes.records import ONLY_CLASS, Tally
from engine.data.boxes.shapes import Marked, Points, points_of
from engine.data.boxes.supervisely import is_supervisely, marked_image
from engine.data.boxes.via import annotations_in, via_images
from engine.data.boxes.yolo import read_yolo_outlines
from engine.data.image_index import ImageIndex, stated_split
from engine.data.image_limits import ImageFault
from engine.data.image_record import IMAGE_RECORD, of_bytes, of_file
from engine.data.images import upright_size
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.data.turned_images import marked_as_stored, shown_mask
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

BACKGROUND = "background"
_MOST_CLASSES = 254
_FARTHEST = 1e6
"""Pixels; pycocotools walks along each edge in memory, however far it reaches."""
Stated = tuple[Any, Any]
"""Width and height as annotations state them; anything but two numbers states nothing."""


@dataclass(frozen=True, slots=True)
class Region:
    """A class and its place in an image: polygons, or runs of pixels in the order of columns."""

    label: str
    polygons: Sequence[Points] = ()
    runs: Sequence[tuple[int, int]] = ()
    """First pixel, from 0, and number of pixels."""
    size: tuple[int, int] | None = None
    """Width and height of the image that the runs are of, where they state them."""
    edges_inside: bool = False
    """Whether the pixels on the edges of polygons belong to them, as LabelMe draws them.

    For COCO and CVAT edges lie between pixels: one from 10 to 20 holds ten of them.
    """


@dataclass
class _Outlines:
    root: Path
    index: ImageIndex
    tally: Tally = field(default_factory=Tally)
    entries: dict[Path, dict[str, list[Sequence[Region]]]] = field(default_factory=dict)
    """The regions of the entries of each image by split."""
    sizes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Width and height of images as their annotations state them."""

    def add(
        self,
        name: str,
        file: Path,
        regions: Sequence[Region],
        size: Stated,
        split: str = "",
        alone: bool = False,
    ) -> None:
        """Add the regions of an image that annotations call ``name``, and put into ``split``.

        ``alone`` says that the file is of this image alone, and is called as it.
        """
        path = self.index.find(name, file)
        if path is None:
            self.tally.add("an image of the annotations is missing", name or file)
            return
        split = split or stated_split(path, file, alone) or TRAIN
        self.entries.setdefault(path, {}).setdefault(split, []).append(regions)
        if sides := _sides(size):
            self.sizes[path] = sides

    def by_image(self) -> dict[Path, tuple[str, list[Region]]]:
        """Return the split of each image and its regions there; entries of others are counted."""
        found = {}
        for path, entries in self.entries.items():
            numbers = {split: len(own) for split, own in entries.items()}
            split = rightful_split(path, numbers, self.tally)
            found[path] = (split, [region for own in entries[split] for region in own])
        return found


def load_outlines(
    root: Path, files: Sequence[Path], images: Sequence[Path]
) -> tuple[RawData, list[str]] | None:
    """Return paths, masks drawn from annotations below ``root``, and classes as ``1=car``.

    ``None`` where no file has outlines. Raises :class:`DataError` for too many classes.
    """
    found = _Outlines(root, ImageIndex(images))
    _add_yolo(files, images, found)
    by_suffix = {end: [file for file in files if file.suffix.lower() == end]
                 for end in (".xml", ".json", ".csv")}  # fmt: skip
    for file in by_suffix[".xml"]:
        for image in marked_images(root / file, found.tally):
            _add_marked(image, file, found)
    for file in (*without_other_tasks(by_suffix[".json"], found.tally), *by_suffix[".csv"]):
        _add_document(annotations_in(root / file), file, found)
    by_image = _named(found)
    everything = [region for _, regions in by_image.values() for region in regions]
    if not everything:
        return None
    classes = classes_of({region.label for region in everything})
    splits = {}
    for split in (TRAIN, VALIDATION, TEST):
        own = sorted((path, regions) for path, (of, regions) in by_image.items() if of == split)
        drawn = [(path, _drawn(found, path, regions, classes)) for path, regions in own]
        rows = [(path, mask) for path, mask in drawn if mask is not None]
        if rows:
            splits[split] = pa.table({
                "image": pa.array([str(root / path) for path, _ in rows], pa.string()),
                "mask": pa.array([of_bytes(mask) for _, mask in rows], IMAGE_RECORD),
            })  # fmt: skip
    if TRAIN not in splits:
        raise DataError(f"{plain(root)} has no images with outlines to train on.")
    why = "masks are drawn from outlines, the later ones over the earlier; the rest is background"
    notes = [Note(why, "mask", "masks", len(everything), kind="converted"), *found.tally.notes()]
    return RawData(splits, tuple(notes)), [f"{n}={name}" for n, name in enumerate(classes)]


def _add_document(content: Any, file: Path, found: _Outlines) -> None:
    if isinstance(content, dict) and isinstance(content.get("shapes"), list):
        _add_labelme(content, file, found)
    elif is_supervisely(content):
        _add_marked(marked_image(content, file, found.tally), file, found, alone=True)
    elif isinstance(content, dict) and {"images", "annotations"} <= content.keys():
        _add_coco(content, file, found)
    else:
        for image in via_images(content, found.tally):
            _add_marked(image, file, found)


def _named(found: _Outlines) -> dict[Path, tuple[str, list[Region]]]:
    """Return the regions of each image; those without a class are left out, or called alike.

    Where no region has a class, all are of the only one.
    """
    by_image = found.by_image()
    alone = not any(region.label for _, regions in by_image.values() for region in regions)
    for path, (_, regions) in by_image.items():
        for place, region in reversed([*enumerate(regions)]):
            if region.label:
                continue
            if alone:
                regions[place] = replace(region, label=ONLY_CLASS)
                why = f"an outline has no name, as all others, and is called {ONLY_CLASS}"
                found.tally.add(why, path, "converted")
            else:
                del regions[place]
                found.tally.add("an outline has no name", path)
    return by_image


def _sides(stated: Sequence[Any]) -> tuple[int, int] | None:
    """Return width and height as annotations state them; ``None`` for anything else."""
    if len(stated) != 2 or not all(str(side).isdecimal() and int(side) > 0 for side in stated):
        return None
    return int(stated[0]), int(stated[1])


def png_of(
    regions: Sequence[Region],
    size: tuple[int, int],
    classes: Sequence[str],
    by_rows: bool = False,
) -> bytes:
    """Return a PNG of the numbers of classes; ``size`` is width and height.

    ``by_rows`` says that runs count along the rows; there are no polygons then.
    """
    if not by_rows:
        return _png(_mask(regions, size, classes))
    width, height = size
    turned = _mask(regions, (height, width), classes)
    return _png(turned.transpose(Image.Transpose.TRANSPOSE))


def _mask(regions: Sequence[Region], size: tuple[int, int], classes: Sequence[str]) -> Image.Image:
    mask = Image.new("L", size, 0)
    for region in regions:
        number = classes.index(region.label)
        for polygon in region.polygons:
            if region.edges_inside:
                ImageDraw.Draw(mask).polygon([*polygon], fill=number)
            else:
                mask.paste(number, mask=_inside(polygon, size))
        if region.runs:
            columns = np.array(mask).T.reshape(-1)
            for first, count in region.runs:
                columns[first : first + count] = number
            mask = Image.fromarray(np.ascontiguousarray(columns.reshape(size).T))
    return mask


def _png(mask: Image.Image) -> bytes:
    file = io.BytesIO()
    mask.save(file, "PNG")
    return file.getvalue()


def _inside(polygon: Points, size: tuple[int, int]) -> Image.Image:
    """Return an image of the pixels within a polygon, by COCO's own rule."""
    numbers = [number for point in polygon for number in point]
    encoded = coco_mask.frPyObjects([numbers], size[1], size[0])
    return Image.fromarray(coco_mask.decode(encoded)[..., 0] * np.uint8(255))


def classes_of(labels: Set[str]) -> list[str]:
    """Return the classes in the order of their numbers; raises :class:`DataError` for too many."""
    classes = [BACKGROUND, *sorted(labels - {BACKGROUND})]
    if len(classes) > _MOST_CLASSES:
        raise DataError(
            f"The outlines have {len(classes):,} classes; masks have {_MOST_CLASSES} at most."
        )
    return classes


def _drawn(
    found: _Outlines, path: Path, regions: Sequence[Region], classes: Sequence[str]
) -> bytes | None:
    record = of_file(str(found.root / path))
    try:
        size = upright_size(record)
        stated = found.sizes.get(path, size)
        turned = marked_as_stored(record, stated, size)
    except ImageFault as fault:
        found.tally.add(plain(fault), path)
        return None
    fitting = [one for one in regions if one.size in (None, stated if turned else size)]
    for _ in range(len(regions) - len(fitting)):
        found.tally.add("run lengths are of an image of another size", path)
    regions = [one for one in fitting if _is_near(one, found, path)]
    if turned:
        found.tally.add("outlines on an image that its camera has turned are turned like it", path,
                        "converted")  # fmt: skip
        return _png(shown_mask(_mask(regions, stated, classes), turned))
    if stated != size:
        reason = "an image has another size than its annotations state: its mask may be wrong"
        found.tally.add(reason, path, "doubt")
    return png_of(regions, size, classes)


def _is_near(region: Region, found: _Outlines, path: Path) -> bool:
    """Return whether an outline can be drawn; what is far beyond any image is counted."""
    sides = (side for polygon in region.polygons for point in polygon for side in point)
    if all(abs(side) <= _FARTHEST for side in sides):  # also false for what is not a number
        return True
    found.tally.add("an outline is not of numbers, or reaches far beyond its image", path)
    return False


def _add_yolo(files: Sequence[Path], images: Sequence[Path], found: _Outlines) -> None:
    """Add the outlines of YOLO's text files; nothing where these hold boxes or something else."""
    stems, tally = {image.stem for image in images}, Tally()
    if not any(file.suffix.lower() == ".txt" and file.stem in stems for file in files):
        return
    read = list(read_yolo_outlines(found.root, files, images, tally))
    if not any(outlines for _, _, outlines in read):
        return
    found.tally = tally
    for image, split, outlines in read:
        regions = [Region(label, [points]) for label, points in outlines]
        found.entries[image] = {split: [regions]}


def _add_labelme(content: Mapping[str, Any], file: Path, found: _Outlines) -> None:
    regions = []
    size = content.get("imageWidth"), content.get("imageHeight")
    sides = _sides(size)
    for shape in content["shapes"]:
        runs = pixel_runs(shape, sides) if isinstance(shape, dict) and sides else []
        if runs and shape.get("label"):
            regions.append(Region(str(shape["label"]).strip(), runs=runs, size=sides))
            continue
        points = points_of(shape.get("points") if isinstance(shape, dict) else None)
        kind = str(shape.get("shape_type") or "polygon") if isinstance(shape, dict) else ""
        if kind == "rectangle" and len(points) > 1:
            (left, top), (right, bottom) = points[0], points[1]
            points = [(left, top), (right, top), (right, bottom), (left, bottom)]
        if kind not in ("polygon", "rectangle") or len(points) < 3 or not shape.get("label"):
            found.tally.add("a shape without a class or an area", file)
            continue
        regions.append(Region(str(shape["label"]).strip(), [points], edges_inside=True))
    name = str(content.get("imagePath") or "")
    found.add(name if found.index.find(name, file) else file.stem, file, regions, size, alone=True)


def _add_marked(image: Marked, file: Path, found: _Outlines, alone: bool = False) -> None:
    regions = [
        Region(shape.label, runs=shape.runs, size=_sides(image.size))
        if shape.runs
        else Region(shape.label, [shape.points], edges_inside=shape.edges_inside)
        for shape in image.shapes
    ]
    found.add(image.name, file, regions, image.size, image.split, alone)


def _add_coco(content: Mapping[str, Any], file: Path, found: _Outlines) -> None:
    names = {
        reference(entry.get("id")): str(entry.get("name"))
        for entry in entries_of(content, "categories")
        if entry.get("name")
    }
    regions: dict[Any, list[Region]] = defaultdict(list)
    for entry in entries_of(content, "annotations"):
        image, label = (
            reference(entry.get("image_id")),
            names.get(reference(entry.get("category_id"))),
        )
        region = None if label is None else _region(label, entry.get("segmentation"))
        if region is None or image is None:
            found.tally.add("an annotation without an outline or a class", file)
            continue
        regions[image].append(region)
    doubtful = doubtful_names(content, found.index)
    for entry in entries_of(content, "images"):
        name = str(entry.get("file_name", ""))
        if name in doubtful:
            found.tally.add(SAME_NAME, name)
        else:
            size = entry.get("width"), entry.get("height")
            found.add(name, file, regions[reference(entry.get("id"))], size)


def _region(label: str, outline: Any) -> Region | None:
    if isinstance(outline, list):
        polygons = [points_of(_paired(one)) for one in outline]
        whole = [polygon for polygon in polygons if len(polygon) > 2]
        return Region(label, whole) if whole else None
    if not isinstance(outline, dict):
        return None
    size = outline.get("size")
    sides = _sides(size[::-1]) if isinstance(size, list) else None
    runs = runs_of(outline.get("counts"))
    return Region(label, runs=runs, size=sides) if runs else None


def _paired(numbers: Any) -> list[tuple[Any, Any]]:
    if not isinstance(numbers, list) or len(numbers) % 2:
        return []
    return list(zip(numbers[::2], numbers[1::2], strict=True))
