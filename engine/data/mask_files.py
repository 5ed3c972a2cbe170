"""A folder of images and masks as tables of paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from engine.config.data.image_masks import ImageMasksConfig
from engine.data.boxes.instance_masks import CLASSES as INSTANCE_CLASSES
from engine.data.boxes.instance_masks import load_instance_masks
from engine.data.image_files import files_below, folder_of
from engine.data.image_index import images_below
from engine.data.image_sets import listed_splits
from engine.data.mask_class_files import CLASS_FILES
from engine.data.mask_pairs import MaskNames, of_one_kind, split_by_folder
from engine.data.outlines import load_outlines
from engine.data.panoptic import load_panoptic
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, Skip
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

CLASSES = b"mask classes"
"""Key in a table's metadata of the classes that were found beside the masks, ``value=name``."""
_LARGEST_LIST = 1_000_000
_Load = Callable[[Path, Sequence[Path], Sequence[Path]], tuple[RawData, list[str]] | None]


def load_masks(config: ImageMasksConfig) -> RawData:
    """The images of each split with their masks, by name. Raises :class:`DataError`."""
    root = folder_of(config.path)
    names = MaskNames(config.masks)
    images = images_below(root)
    all_masks = names.masks_among(images)
    masks = of_one_kind(all_masks)
    known = set(all_masks)
    others = [image for image in images if image not in known]
    if (segments := _with_found(load_panoptic, root, images)) is not None:
        return segments
    if not masks and (drawn := _with_found(load_outlines, root, images)) is not None:
        return drawn
    if not masks or not others:
        raise DataError(
            f"{plain(root)} has no {'images beside its masks' if masks else 'folder of masks'}.",
            "There should be images/a.jpg and masks/a.png; data.masks names the folder of masks.",
        )
    pairs = names.pairs(others, masks)
    if not any(pairs.values()):
        united = load_instance_masks(root, images, names)
        if united is not None:
            return with_mask_classes(united, INSTANCE_CLASSES)
        raise DataError(
            f"{plain(root)}: no mask is called as an image, such as "
            f"{plain(others[0].stem)} for {plain(others[0])}.",
            f"The first mask is {plain(masks[0])}.",
        )
    listed = listed_splits(root, "Segmentation")
    unlisted = [
        image
        for image, mask in pairs.items()
        if mask and TRAIN in listed.values() and image.stem not in listed
    ]
    place = {image: listed.get(image.stem) or split_by_folder(image) for image in pairs}
    place |= dict.fromkeys(unlisted, "")
    splits = {split: _table(root, pairs, place, split) for split in (TRAIN, VALIDATION, TEST)}
    found = {split: table for split, table in splits.items() if table.num_rows}
    if TRAIN not in found:
        raise DataError(f"{plain(root)} has no pairs of images and masks to train on.")
    return _with_classes(RawData(found, (), tuple(_skips(pairs, all_masks, masks, unlisted))), root)


def _with_found(load: _Load, root: Path, images: Sequence[Path]) -> RawData | None:
    """Return the masks that annotations beside the images describe, and their classes."""
    known = set(images)
    found = load(root, [file for file in files_below(root) if file not in known], images)
    return None if found is None else with_mask_classes(*found)


def _table(
    root: Path, pairs: Mapping[Path, Path | None], place: Mapping[Path, str], split: str
) -> pa.Table:
    own = sorted(
        (image, mask) for image, mask in pairs.items() if mask is not None and place[image] == split
    )
    return pa.table({
        "image": pa.array([str(root / image) for image, _ in own], pa.string()),
        "mask": pa.array([str(root / mask) for _, mask in own], pa.string()),
    })  # fmt: skip


def _skips(
    pairs: Mapping[Path, Path | None],
    all_masks: Sequence[Path],
    masks: Sequence[Path],
    unlisted: Sequence[Path],
) -> Iterator[Skip]:
    """Count images that no list names or without a mask, and masks without an image."""
    used = {mask for mask in pairs.values() if mask is not None}
    own = set(masks)
    without = [image for image, mask in pairs.items() if mask is None]
    left = [mask for mask in masks if mask not in used]
    other = [mask for mask in all_masks if mask not in own]
    for files, reason in (
        (without, "there is no mask of its name"),
        (left, "a mask without image"),
        (other, "a mask of another kind than that of the classes"),
        (unlisted, "an image is in no list of ImageSets/Segmentation"),
    ):
        if files:
            yield Skip(reason, len(files), plain(files[0]))


def _with_classes(raw: RawData, root: Path) -> RawData:
    """Note the classes that a file beside the masks names in the tables' metadata."""
    for file in files_below(root):
        reader = CLASS_FILES.get(file.name.lower())
        if reader is None:
            continue
        path = root / file
        try:
            if path.stat().st_size > _LARGEST_LIST:
                continue
            classes = reader(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise DataError(f"{plain(path)} cannot be read: {plain(error)}.") from error
        note = Note(f"names of classes are read from {plain(file)}", "mask", kind="converted")
        return with_mask_classes(raw.with_splits(raw.splits, note), classes)
    return raw


def with_mask_classes(raw: RawData, classes: Sequence[str]) -> RawData:
    """Note classes, each ``value=name``, in the metadata of all tables."""
    noted = json.dumps(list(classes)).encode()
    splits = {
        split: table.replace_schema_metadata((table.schema.metadata or {}) | {CLASSES: noted})
        for split, table in raw.splits.items()
    }
    return raw.with_splits(splits)


def mask_classes(table: pa.Table) -> list[str]:
    """Return the classes that were noted in a table's metadata; empty for none."""
    noted = (table.schema.metadata or {}).get(CLASSES)
    return list(map(str, json.loads(noted))) if noted else []
