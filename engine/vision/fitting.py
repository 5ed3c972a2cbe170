"""Fitting on training images: classes, size, colour, mean and deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.config.models.image import Preprocessing
from engine.data.image_levels import Levels
from engine.data.images import Pixels, decode_all, find_levels, look
from engine.data.raw import class_names
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.classes.labels import classes_of, labels_of, too_many
from engine.text.columns import is_list
from engine.vision.decoded_rows import DecodedRows
from engine.vision.files.column import images_of

T = TypeVar("T")


class Resized(Protocol):
    """Settings of a task that say how its images are resized."""

    @property
    def image_size(self) -> int: ...  # noqa: D102
    @property
    def resize(self) -> Literal["crop", "stretch"]: ...  # noqa: D102


_LOOKED_AT = 2000
"""Images whose size and colour stand for all."""
_MEASURED = 500
"""Images whose mean stands for that of all."""
_MOST_CLASSES = 50_000
_LARGEST_SIDE = 224
_OTHER_CLASSES = (
    "There must be two or more: give a folder for each class, or another column with task.label."
)
_COUNTED_AT_ONCE = 1 << 18
"""Pixels whose values are counted at once: NumPy makes eight bytes of each."""


def classes_in(table: pa.Table, label: str) -> tuple[list[str], list[int], bool]:
    """Classes, how often each occurs, and whether an image can have several.

    Raises :class:`DataError` for a column with too few classes.
    """
    multi_label = is_list(table, label)
    names, counts = classes_of(labels_of(table, label), class_names(table, label))
    if len(names) < (1 if multi_label else 2) or not any(counts):
        raise DataError(
            f"All training images have the same class, {plain(names[0], 40)!r}."
            if names
            else "No training image has a class.",
            _OTHER_CLASSES,
        )
    present = sum(count > 0 for count in counts)
    if present < 2 and not multi_label:
        only = names[int(np.argmax(counts))]
        raise DataError(
            f"All training images have the same class, {plain(only, 40)!r}.",
            _OTHER_CLASSES,
        )
    if len(names) > _MOST_CLASSES or (not multi_label and too_many(present, table.num_rows)):
        raise DataError(
            f"The column {plain(label, 40)} has {present:,} different values in "
            f"{table.num_rows:,} training rows.",
            "Choose another column with task.label.",
        )
    return names, counts, multi_label


def measure(
    table: pa.Table,
    column: str,
    task: Resized,
    wanted: Preprocessing | None,
    decoded: DecodedRows | None = None,
) -> dict[str, Any]:
    """Return what :class:`~engine.vision.fitted.PixelFitted` has of sizes, colours and pages.

    What pre-trained weights ask for, ``wanted``, goes before what the images are. ``decoded``
    holds the images that had to be decoded.
    """
    images = images_of(table, column)
    rows = spread(len(images), _LOOKED_AT)
    some = [images[row] for row in rows]
    found = look(some, _LARGEST_SIDE)
    channels = 1 if found.grey and wanted is None else 3
    size = task.image_size or (wanted.size if wanted else found.side)
    levels = find_levels([some[i] for i in _thinned(found.deep)])
    if wanted:
        mean, std = list(wanted.mean), list(wanted.std)
    else:
        pixels, faults = decode_all(_thinned(some), size, channels, task.resize, levels)
        mean, std = _statistics(pixels, faults, levels)
        if decoded:
            whole = enumerate(_thinned(rows))
            decoded.hold(table, {row: pixels[i] for i, row in whole if i not in faults})
    return {
        "rows": table.num_rows, "channels": channels, "size": size, "mean": mean, "std": std,
        "sizes": found.sizes, "levels": levels, "paged": found.paged, "depths": found.depths,
        "see_through": found.see_through,
    }  # fmt: skip


def _thinned(items: Sequence[T]) -> Sequence[T]:
    return items[:: max(1, len(items) // _MEASURED)]


def spread(count: int, most: int) -> list[int]:
    """Return at most ``most`` numbers below ``count``, evenly spread."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most))})


def _statistics(
    pixels: Pixels, faults: Mapping[int, str], levels: Levels
) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel, white being 1."""
    channels = pixels.shape[-1]
    good = np.delete(pixels, list(faults), axis=0) if faults else pixels
    if not len(good):
        raise DataError("None of the training images that were tried can be decoded.")
    if levels.exact:
        values = good.reshape(-1, channels)
        mean, deviation = values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)
    else:
        mean, deviation = _of_bytes(good.reshape(-1, channels))
    # Images that are all alike have nothing to be divided by.
    return mean.tolist(), np.maximum(deviation, 1e-3).tolist()


def _of_bytes(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and deviation of each column as shares of 255, from the counts of its values."""
    counts = np.zeros((values.shape[1], 256), np.int64)
    for first in range(0, len(values), _COUNTED_AT_ONCE):
        part = values[first : first + _COUNTED_AT_ONCE]
        counts += np.stack([np.bincount(column, minlength=256) for column in part.T])
    shares, levels = counts / len(values), np.arange(256) / 255
    mean = shares @ levels
    spread = np.square(levels - mean[:, None])
    return mean, np.sqrt((shares * spread).sum(1))
