"""Rows with an image and its mask; the others are left out, counted and reported."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.config.data.base import DataConfig
from engine.config.tasks.semantic_segmentation import (
    AUTO,
    SemanticSegmentationConfig,
    mask_value,
)
from engine.data.image_limits import ImageFault
from engine.data.images import upright_size
from engine.data.mask_files import mask_classes
from engine.data.masks import (
    IGNORED,
    OUTSIDE,
    MaskCoding,
    MaskLook,
    Palettes,
    look_at_mask,
    palettes_of,
)
from engine.data.raw import RawData
from engine.data.splits import cut_splits
from engine.data.threads import in_threads
from engine.data.turned_images import turn_of_mask
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.rows import without_faults
from engine.vision.files.column import Aside

_MOST_CLASSES = 254
_NOTED = b"segmentation"


@dataclass(frozen=True)
class MaskClasses:
    """The classes of a data set's masks, noted in the metadata of its tables."""

    names: Sequence[str]
    values: Sequence[int]
    ignored: int | None
    coloured: bool
    greys: bool = False
    masks: Sequence[int] = ()
    """Training masks that have each class."""
    pixels: Sequence[float] = ()
    """Each class's share of the pixels of the training masks."""

    @property
    def coding(self) -> MaskCoding:
        """From mask values to numbers of classes."""
        return MaskCoding(tuple(self.values), self.ignored, self.coloured, self.greys)


def classes_noted(table: pa.Table) -> MaskClasses:
    """Return what :func:`usable_masks` noted in a table's metadata."""
    return MaskClasses(**json.loads(table.schema.metadata[_NOTED]))


def usable_masks(
    raw: RawData,
    config: DataConfig,
    task: SemanticSegmentationConfig,
    columns: tuple[str, str],
    folder: Path | None,
) -> RawData:
    """``raw`` in three splits, only with rows whose image and mask fit, and the classes noted.

    ``columns`` are those of images and masks. Raises :class:`DataError` where no row is left.
    """
    image, mask = columns
    images = Aside(raw.splits, image, folder)
    masks = Aside(images.splits, mask, folder)
    numbers = range(len(masks.images))
    looks = list(
        in_threads(lambda number: _look(images.images[number], masks.images[number]), numbers)
    )
    raw = replace(raw, splits=masks.splits)
    palettes = palettes_of(look for look in looks if isinstance(look, MaskLook))
    of_train = [looks[number] for number in _numbers(raw.train, mask)]
    classes, notes = _classes(raw.train, task, of_train, palettes)
    notes += _of_palettes(palettes, classes)
    raw = without_faults(
        raw,
        lambda table: [_fault(looks[number], classes) for number in _numbers(table, mask)],
        lambda table, row: plain(images.images[table[image][row].as_py()]["path"] or ""),
        "Look at the images and their masks.",
    )
    notes += [*_lossy(looks), *_turned(looks)]
    raw = cut_splits(raw.with_splits(raw.splits, *notes), config)
    classes = _counted(classes, [looks[number] for number in _numbers(raw.train, mask)])
    noted = {_NOTED: json.dumps(asdict(classes)).encode()}
    splits = {}
    for split, table in raw.splits.items():
        ordered = table.take(pc.sort_indices(table[image]))  # as both are stored
        whole = masks.restored(images.restored(ordered))
        splits[split] = whole.replace_schema_metadata((whole.schema.metadata or {}) | noted)
    return replace(raw, splits=splits)


def _lossy(looks: Iterable[MaskLook | str]) -> list[Note]:
    """Return a note on masks of black and white that are JPEG files."""
    count = sum(look.lossy for look in looks if isinstance(look, MaskLook))
    why = "masks are JPEG files: values below 128 are read as 0, the others as 255"
    return [Note(why, "mask", "classes", count, kind="converted")] if count else []


def _turned(looks: Iterable[MaskLook | str]) -> list[Note]:
    """Return a note on masks that were drawn on the stored pixels of turned photographs."""
    count = sum(look.turned for look in looks if isinstance(look, MaskLook))
    why = "masks of the stored pixels of images that their camera has turned are turned like them"
    return [Note(why, "mask", "masks", count, kind="converted")] if count else []


def _numbers(table: pa.Table, mask: str) -> list[int]:
    numbers: list[int] = table[mask].to_pylist()
    return numbers


def _look(image: Any, mask: Any) -> MaskLook | str:
    """Return the values of a mask, or why it cannot be used with its image."""
    try:
        size = upright_size(image)
        look = look_at_mask(mask)
        if (look.width, look.height) == size:
            return look
        if turn_of_mask(image, (look.width, look.height)):
            return replace(look, turned=True)
    except ImageFault as fault:
        return plain(fault)
    return "the mask has another size than its image"


def _fault(look: MaskLook | str, classes: MaskClasses) -> str | None:
    if isinstance(look, str):
        return look
    unknown = classes.coding.unknown(look)
    if not unknown:
        return None
    some = ", ".join(written(value, look.stored == "colours") for value in unknown[:3])
    return f"{OUTSIDE}: {some}" + " …" * (len(unknown) > 3)


def written(value: int, coloured: bool) -> str:
    """Return a mask value as settings have it."""
    return f"#{value:06x}" if coloured else str(value)


def _classes(
    train: pa.Table,
    task: SemanticSegmentationConfig,
    looks: Iterable[MaskLook | str],
    palettes: Palettes,
) -> tuple[MaskClasses, list[Note]]:
    """Return names and values of the classes: those that are set, found beside them, or present."""
    seen = [look for look in looks if isinstance(look, MaskLook)]
    if not seen:
        return MaskClasses(["0"], [0], None, False), []  # the rows' faults say why
    given = list(task.classes) or mask_classes(train)
    coloured = (
        any(text.startswith("#") for text in given)
        if given
        else palettes == "colours" or any(look.stored == "colours" for look in seen)
    )
    greys = palettes == "greys" and not coloured and _are_greys(seen, given)
    found: Counter[int] = Counter()
    bare = MaskCoding((), None, coloured, greys)
    for look in seen:
        if coloured or look.stored != "colours":
            found.update(bare.pixels(look))
    pairs = [text.partition("=") for text in given]
    named = {mask_value(value): name.strip() for value, _, name in pairs}
    ignored, notes = _ignored(task.ignore_index, found, coloured, named)
    if given:
        values = [value for value in named if value is not None and value != ignored]
        names = [named[value] for value in values]
    else:
        values = sorted(value for value in found if value != ignored)
        names = [written(value, coloured) for value in values]
    if not 2 <= len(values) <= _MOST_CLASSES:
        raise DataError(
            f"The training masks have {len(values):,} classes; there must be from 2 to "
            f"{_MOST_CLASSES}.",
            "Set task.classes, such as 0=background 1=car, and task.ignore_index.",
        )
    return MaskClasses(names, values, ignored, coloured, greys), notes


def _are_greys(looks: Iterable[MaskLook], given: Sequence[str]) -> bool:
    """Return whether the classes that are given, if some are, have the greys of the palettes."""
    known = {mask_value(text.partition("=")[0]) for text in given}
    by_grey = MaskCoding((), None, False, greys=True)
    return not given or all(value in known for look in looks for value in by_grey.pixels(look))


def _of_palettes(palettes: Palettes, classes: MaskClasses) -> list[Note]:
    """Return a note on masks in whose palettes one index has several colours."""
    if palettes == "alike":
        return []
    why = "an index has another colour in the palettes of other masks"
    if classes.coloured or classes.greys:
        why += f": indices are read as the {'greys' if classes.greys else 'colours'} of their masks"
        return [Note(why, "mask", palettes, change="task.classes", kind="converted")]
    why += ", and the classes are indices: give them as colours, such as #ff0000=car"
    return [Note(why, "mask", "indices", change="task.classes")]


def _ignored(
    setting: str, found: Mapping[int, int], coloured: bool, given: Collection[int | None]
) -> tuple[int | None, list[Note]]:
    """Return the value that is ignored, and a note where that was a choice.

    One that is ``given`` as a class is none unless the setting says so.
    """
    if setting != AUTO:
        return (None if setting == "none" else mask_value(setting)), []
    if coloured or IGNORED in given:
        return None, []
    if IGNORED not in found:
        return IGNORED, []
    if not given and found.keys() == {0, IGNORED}:
        why = "the masks are of 0 and 255 alone: 255 is a class, not ignored"
        return None, [Note(why, "mask", "class", change="task.ignore_index")]
    why = "pixels of the mask value 255 are neither learned nor counted"
    return IGNORED, [Note(why, "mask", "ignored", change="task.ignore_index", kind="converted")]


def _counted(classes: MaskClasses, looks: Iterable[MaskLook | str]) -> MaskClasses:
    masks: Counter[int] = Counter()
    pixels: Counter[int] = Counter()
    for look in looks:
        if isinstance(look, MaskLook):
            own = classes.coding.pixels(look)
            masks.update(own.keys())
            pixels.update(own)
    counts = [pixels[value] for value in classes.values]
    total = max(1, sum(counts))
    return replace(
        classes,
        masks=[masks[value] for value in classes.values],
        pixels=[count / total for count in counts],
    )
