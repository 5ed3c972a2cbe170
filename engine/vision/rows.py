"""Rows with an image and a class; the others are left out, counted and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from engine.config.data.base import DataConfig
from engine.data.image_limits import ImageFault
from engine.data.images import read_header
from engine.data.raw import RawData
from engine.data.splits import cut_splits
from engine.data.threads import quick_or_in_threads
from engine.files.sanitize import plain
from engine.text.classes.labels import labels_of
from engine.text.classes.spellings import with_known_labels
from engine.text.columns import is_list
from engine.text.rows import without_faults
from engine.vision.files.column import Aside, Images

_CHECKED = 20_000
"""Of more images than this, those that cannot be read are found when they are decoded."""


def usable_rows(
    raw: RawData, config: DataConfig, image: str, label: str, folder: Path | None
) -> RawData:
    """``raw`` in three splits, only with rows that can be learned from; no image is copied.

    Raises :class:`~engine.errors.DataError` where none is left.
    """
    aside = Aside(raw.splits, image, folder)
    raw = replace(raw, splits=aside.splits)
    raw = without_faults(
        raw,
        lambda table: _faults(table, image, label, aside.images),
        lambda table, row: _name(aside.images, table[image][row].as_py()),
        "Look at the images and the columns chosen.",
    )
    raw = cut_splits(raw, config, None if is_list(raw.train, label) else label)
    raw = with_known_labels(raw, label)
    return replace(raw, splits={split: aside.back(table) for split, table in raw.splits.items()})


def _faults(table: pa.Table, image: str, label: str, images: Images) -> list[str | None]:
    if label not in table.column_names:
        return ["there is no label"] * table.num_rows
    faults: list[str | None] = [
        f"{label} is empty" if value is None else None for value in labels_of(table, label)
    ]
    if len(images) > _CHECKED:
        return faults
    numbers: Sequence[int] = table[image].to_pylist()
    checked = quick_or_in_threads(lambda number: _fault(images, number), numbers)
    return [fault or found for fault, found in zip(faults, checked, strict=True)]


def _name(images: Images, number: int) -> str:
    """Return the path of an image in a file of its own; empty for others."""
    record = images[number]
    return plain(record["path"] or "") if record and record["bytes"] is None else ""


def _fault(images: Images, number: int) -> str | None:
    try:
        read_header(images[number])
    except ImageFault as fault:
        return plain(fault)
    return None
