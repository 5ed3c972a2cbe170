"""Image classification held against a linear model on the same images."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from engine.baselines.baseline import Baseline
from engine.baselines.edges_and_colours import (
    EDGES_AND_COLOURS,
    ROWS,
    SIDE,
    LabelledImages,
    edges_and_colours,
)
from engine.data.images import Pixels, decode_all
from engine.data.raw import RawData
from engine.text.classes.labels import flags_of, labels_of
from engine.text.classes.spellings import codes_of
from engine.vision.files.column import images_of
from engine.vision.fitted import ImageFitted


def image_baselines(raw: RawData, fitted: ImageFitted) -> list[Baseline]:
    """Return the baseline on the split that decides; none where there are no labels or no time."""
    table = raw.decisive
    if table is None or fitted.label not in table.column_names:
        return []
    train = _labelled(raw.train, fitted, ROWS)
    result = edges_and_colours(train, _labelled(table, fitted), fitted.classes)
    return [] if result is None else [Baseline(EDGES_AND_COLOURS, result)]


def _labelled(table: pa.Table, fitted: ImageFitted, most: int | None = None) -> LabelledImages:
    """Return the images of a table, or at most some of them, evenly spread."""
    images = images_of(table, fitted.image)
    step = 1 if most is None else max(1, -(-len(images) // most))
    rows = range(0, len(images), step)
    labels = labels_of(table, fitted.label)[::step]
    code = flags_of if fitted.multi_label else codes_of

    def decode(places: range) -> tuple[Pixels, set[int]]:
        records = [images[rows[place]] for place in places]
        pixels, faults = decode_all(records, SIDE, fitted.channels, fitted.resize, fitted.levels)
        return pixels, {places[fault] for fault in faults}

    targets = np.asarray(code(labels, fitted.classes), np.int64)
    return LabelledImages(images.names()[::step], targets, decode)
