"""Rows with an image and a class or a number; the others are left out, counted and reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from engine.text.numbers_of import numbers_of
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

    def cut(raw: RawData) -> RawData:
        raw = cut_splits(raw, config, None if is_list(raw.train, label) else label)
        return with_known_labels(raw, label)

    return _usable(raw, image, folder, lambda table: _unlabelled(table, label), cut)


def usable_numbers(
    raw: RawData, config: DataConfig, image: str, target: str, folder: Path | None
) -> RawData:
    """Like :func:`usable_rows`, of images with numbers."""
    return _usable(
        raw, image, folder, lambda table: _unnumbered(table, target),
        lambda raw: cut_splits(raw, config),
    )  # fmt: skip


def _usable(
    raw: RawData,
    image: str,
    folder: Path | None,
    faults: Callable[[pa.Table], list[str | None]],
    cut: Callable[[RawData], RawData],
) -> RawData:
    aside = Aside(raw.splits, image, folder)
    raw = without_faults(
        replace(raw, splits=aside.splits),
        lambda table: _faults(table, image, faults(table), aside.images),
        lambda table, row: _name(aside.images, table[image][row].as_py()),
        "Look at the images and the columns chosen.",
    )
    raw = cut(raw)
    return replace(raw, splits={split: aside.back(table) for split, table in raw.splits.items()})


def _unlabelled(table: pa.Table, label: str) -> list[str | None]:
    if label not in table.column_names:
        return ["there is no label"] * table.num_rows
    return [f"{label} is empty" if value is None else None for value in labels_of(table, label)]


def _unnumbered(table: pa.Table, target: str) -> list[str | None]:
    if target not in table.column_names:
        return ["there is no number"] * table.num_rows
    fault = f"{target} is not a number"
    return [fault if value is None else None for value in numbers_of(table, target)]


def _faults(
    table: pa.Table, image: str, faults: list[str | None], images: Images
) -> list[str | None]:
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
