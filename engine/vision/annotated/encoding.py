"""From rows to a source of batches of images with masks or boxes."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import torch

from engine.data.image_limits import ImageFault
from engine.data.images import Pixels, decode, upright_size
from engine.data.raw import Skip
from engine.data.threads import in_threads
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.runs.events import Report
from engine.text.columns import chosen
from engine.vision.annotated.source import (
    Annotated,
    AnnotatedImages,
    PlacedPreparation,
    Target,
)
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.files.column import images_of
from engine.vision.left_out import warning_of


def encode_annotated(
    table: pa.Table,
    fitted: AnnotatedFitted,
    target: Callable[[int], Target] | None,
    preparation: PlacedPreparation,
    device: torch.device,
    report: Report,
    weigh: Callable[[Target], float],
) -> tuple[AnnotatedImages, list[Skip]]:
    """A source of the rows that can be decoded, and what was left out so far.

    ``target`` gives what belongs to a row, or raises ``ImageFault``; ``weigh`` gives its terms in
    the loss. Raises :class:`DataError`
    where nothing can be decoded.
    """
    images = images_of(table, chosen(table, fitted.image, "task.image"))
    names = images.names()

    def read(row: int) -> tuple[Pixels, Target | None]:
        pixels = decode(images[row], fitted.size, fitted.channels, "stretch", fitted.levels)
        return pixels, None if target is None else target(row)

    def size(row: int) -> tuple[int, int]:
        try:
            return upright_size(images[row])
        except ImageFault as fault:
            if len(images) == 1:
                raise DataError(f"{plain(names[0])}: {fault}.") from fault
            return (0, 0)  # it is left out when it is decoded

    skips: list[Skip] = []

    def skipped(skip: Skip) -> None:
        skips.append(skip)
        report(warning_of(skip))

    sizes = list(in_threads(size, range(len(images))))
    annotated = Annotated(names, sizes, read, fitted.pixel_bytes, weigh)
    source = AnnotatedImages(annotated, preparation, device, skipped)
    return source, list(skips)
