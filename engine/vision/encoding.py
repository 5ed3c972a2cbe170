"""From rows to a source of batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from engine.batches.source import Source
from engine.data.images import Pixels, decode, decode_all
from engine.data.raw import Skip
from engine.errors import DataError
from engine.files.digest import digest_of
from engine.files.sanitize import plain
from engine.processes.environment import beside_others
from engine.runs.events import Log, Report
from engine.text.classes.labels import flags_of, labels_of
from engine.text.classes.spellings import codes_of
from engine.text.columns import chosen
from engine.vision.files.column import Images, images_of
from engine.vision.files.pixel_cache import PixelCache
from engine.vision.fitted import ImageFitted, PixelFitted
from engine.vision.left_out import warning_of
from engine.vision.preparation import Preparation
from engine.vision.source import RESIDENT_BYTES, ResidentImages, StoredImages

_MEMORY_BYTES = 1 << 26
"""Images up to this size together stay in main memory, where the network computes on the CPU."""


def encode_images(
    table: pa.Table,
    fitted: PixelFitted,
    targets: Tensor | None,
    preparation: Preparation,
    device: torch.device,
    report: Report,
    cache_bytes: int = 0,
    decoded: Mapping[int, Pixels] = MappingProxyType({}),
) -> tuple[Source, list[Skip]]:
    """A source of the rows that can be decoded, and what was left out.

    ``targets`` has what is to be learned of each row; ``None`` where that is not known. At most
    ``cache_bytes`` of decoded images that do not stay in memory are cached on the disk. Images that
    are ``decoded`` already, by row, are not decoded again where they are kept.

    Raises :class:`DataError` when there is no image column or nothing can be decoded.
    """
    images = images_of(table, chosen(table, fitted.image, "task.image"))
    most = RESIDENT_BYTES if device.type != "cpu" else min(RESIDENT_BYTES, _MEMORY_BYTES)
    if preparation.least_crop or len(images) * fitted.pixel_bytes > most:
        cache = _cache(images.names(), fitted, cache_bytes, report)
        if cache:
            for row, image in decoded.items():
                cache.put(row, image)
        return _stored(images, targets, fitted, preparation, device, report, cache), []
    form = (fitted.size, fitted.channels, fitted.resize, fitted.levels)
    pixels, faults = decode_all(images, *form, decoded)
    names = images.names()
    kept = [row for row in range(len(images)) if row not in faults]
    if not kept:
        first = f"{plain(names[0])}: {faults[0]}"
        if len(images) == 1:
            raise DataError(f"{first}.")
        raise DataError(f"None of {len(images):,} images can be decoded: {first}.")
    skips = _skips(faults, names)
    for skip in skips:
        report(warning_of(skip))
    if faults:
        pixels = pixels[kept]
        names = [names[row] for row in kept]
        targets = None if targets is None else targets[kept]
    return ResidentImages(pixels, targets, preparation, device, names, kept), skips


def _stored(
    images: Images,
    targets: Tensor | None,
    fitted: PixelFitted,
    preparation: Preparation,
    device: torch.device,
    report: Report,
    cache: PixelCache | None,
) -> Source:
    form = (fitted.size, fitted.channels, fitted.resize, fitted.levels)
    return StoredImages(
        lambda row, crop: decode(images[row], *form, crop), images.names(), targets, preparation,
        device, lambda skip: report(warning_of(skip)), cache,
    )  # fmt: skip


def _cache(
    names: Sequence[str], fitted: PixelFitted, most_bytes: int, report: Report
) -> PixelCache | None:
    """Return the cache of a split, which the processes of a run on this machine have in common."""
    if not most_bytes:
        return None
    shape = (fitted.size, fitted.size, fitted.channels)
    exact = bool(fitted.levels and fitted.levels.exact)
    like = np.empty(shape, np.float32 if exact else np.uint8)

    def warn(text: str) -> None:
        report(Log(level="warning", message=text))

    together = beside_others()
    shared = together and digest_of(together, *names)
    return PixelCache(len(names), like, most_bytes, warn, shared)


def class_targets(table: pa.Table, fitted: ImageFitted) -> Tensor | None:
    """Numbers of classes, or zeros and ones where an image can have several."""
    if fitted.label not in table.column_names:
        return None
    labels = labels_of(table, fitted.label)
    if fitted.multi_label:
        return torch.tensor(flags_of(labels, fitted.classes), dtype=torch.float32)
    return torch.tensor(codes_of(labels, fitted.classes))


def _skips(faults: dict[int, str], names: list[str]) -> list[Skip]:
    by_reason: dict[str, list[int]] = {}
    for row in sorted(faults):
        by_reason.setdefault(faults[row], []).append(row)
    return [Skip(reason, len(rows), names[rows[0]]) for reason, rows in by_reason.items()]
