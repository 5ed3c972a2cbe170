"""Classes and numbers of images held against a linear model on the same images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.baselines.baseline import Baseline
from engine.baselines.edges_and_colours import (
    EDGES_AND_COLOURS,
    EDGES_AND_RIDGE,
    ROWS,
    SIDE,
    LabelledImages,
    edges_and_colours,
    numbers_by_edges,
)
from engine.data.images import Pixels, decode_all
from engine.data.raw import RawData
from engine.metrics.tables.regression import evaluate_numbers
from engine.metrics.uncertainty.paired import text_keys
from engine.text.classes.labels import flags_of, labels_of
from engine.text.classes.spellings import codes_of
from engine.text.numbers_of import numbers_of
from engine.vision.files.column import images_of
from engine.vision.fitted import ImageFitted, NumberedFitted, PixelFitted


def image_baselines(raw: RawData, fitted: ImageFitted) -> list[Baseline]:
    """Return the baseline on the split that decides; none where there are no labels or no time."""
    table = raw.decisive
    if table is None or fitted.label not in table.column_names:
        return []
    train = _labelled(raw.train, fitted, ROWS)
    result = edges_and_colours(train, _labelled(table, fitted), fitted.classes)
    return [] if result is None else [Baseline(EDGES_AND_COLOURS, result)]


def number_baselines(raw: RawData, fitted: NumberedFitted) -> list[Baseline]:
    """Return the baseline of images with numbers, as :func:`image_baselines` for classes."""
    table = raw.decisive
    if table is None or fitted.target not in table.column_names:
        return []
    found = numbers_by_edges(_numbered(raw.train, fitted, ROWS), _numbered(table, fitted))
    if found is None:
        return []
    predicted, truth, names = found
    result = evaluate_numbers(predicted, truth, 0.0)
    del result.metrics["loss"]  # of what another loss function learned
    keyed = result.rows and replace(result.rows, keys=text_keys(names))
    return [Baseline(EDGES_AND_RIDGE, replace(result, rows=keyed))]


def _numbered(table: pa.Table, fitted: NumberedFitted, most: int | None = None) -> LabelledImages:
    numbers = np.array(numbers_of(table, fitted.target), np.float64)
    return _images(table, fitted, most, lambda step: numbers[::step])


def _labelled(table: pa.Table, fitted: ImageFitted, most: int | None = None) -> LabelledImages:
    labels = labels_of(table, fitted.label)
    code = flags_of if fitted.multi_label else codes_of
    return _images(
        table, fitted, most, lambda step: np.asarray(code(labels[::step], fitted.classes), np.int64)
    )


def _images(
    table: pa.Table,
    fitted: PixelFitted,
    most: int | None,
    targets: Callable[[int], NDArray[Any]],
) -> LabelledImages:
    """Return the images of a table, or at most some of them, evenly spread."""
    images = images_of(table, fitted.image)
    step = 1 if most is None else max(1, -(-len(images) // most))
    rows = range(0, len(images), step)

    def decode(places: range) -> tuple[Pixels, set[int]]:
        records = [images[rows[place]] for place in places]
        pixels, faults = decode_all(records, SIDE, fitted.channels, fitted.resize, fitted.levels)
        return pixels, {places[fault] for fault in faults}

    return LabelledImages(images.names()[::step], targets(step), decode)
