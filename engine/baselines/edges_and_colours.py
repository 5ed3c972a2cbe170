"""The baseline of image classification: a linear model on edges and colours of small images.

Edges are histograms of oriented gradients (Dalal and Triggs, 2005) in a simple form: each cell of
4 × 4 pixels is normalized by itself. Colours are the means of the same cells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.baselines.evaluated import evaluated
from engine.baselines.logistic import fitted_classes, fitted_flags
from engine.data.images import Pixels
from engine.metrics.evaluator import Evaluation
from engine.metrics.uncertainty.paired import text_keys
from engine.processes.later import Later

linear_model = Later("sklearn.linear_model")

EDGES_AND_COLOURS = "edges, colours and logistic regression"
EDGES_AND_RIDGE = "edges, colours and ridge regression"
SIDE = 32
"""Pixels of an image's sides."""
ROWS = 5_000
"""Training images at most."""
SECONDS = 60.0
"""Time in which the images must be decoded; else there is no baseline."""
_CELL = 4
_ANGLES = 9
_FAINT = 0.05
"""Edges weaker than this hardly count."""
_STRENGTH = 0.03
_STEPS = 100
_PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""Penalties of ridge regression, of which cross-validation on the training images takes one."""
_AT_ONCE = 512


@dataclass(frozen=True)
class LabelledImages:
    """Images of which some may not be decodable."""

    names: Sequence[str]
    targets: NDArray[Any]
    """The number of each image's class, ``[images, classes]`` of 0 and 1, or numbers to learn."""
    decode: Callable[[range], tuple[Pixels, set[int]]]
    """Decodes some rows to ``[rows, SIDE, SIDE, channels]``; tells which of them it could not."""


def edges_and_colours(
    train: LabelledImages, test: LabelledImages, classes: Sequence[str], seconds: float = SECONDS
) -> Evaluation | None:
    """Metrics on ``test``; ``None`` where decoding takes longer than ``seconds`` or none can be."""
    end = time.monotonic() + seconds
    known, rows = _features(train, end)
    new, seen = _features(test, end)
    if not len(rows) or not len(seen) or time.monotonic() > end:
        return None
    targets = train.targets[rows]
    if targets.ndim == 2:
        said = fitted_flags(known, targets, _STRENGTH, _STEPS)(new)
    else:
        said = fitted_classes(known, targets.tolist(), len(classes), _STRENGTH, _STEPS)(new)
    keys = text_keys([test.names[row] for row in seen.tolist()])
    return evaluated(said, test.targets[seen], classes, keys)


def numbers_by_edges(
    train: LabelledImages, test: LabelledImages, seconds: float = SECONDS
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]] | None:
    """Return predicted numbers of ``test``, the true ones, and the names of these images.

    By a ridge regression; ``None`` as :func:`edges_and_colours`.
    """
    end = time.monotonic() + seconds
    known, rows = _features(train, end)
    new, seen = _features(test, end)
    if not len(rows) or not len(seen) or time.monotonic() > end:
        return None
    model = linear_model.RidgeCV(alphas=_PENALTIES)
    model.fit(known.astype(np.float64), train.targets[rows])
    said = np.asarray(model.predict(new.astype(np.float64)), np.float64)
    return said, test.targets[seen], [test.names[row] for row in seen.tolist()]


def _features(images: LabelledImages, end: float) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the features of those that can be decoded before a time, and their rows."""
    found: list[NDArray[np.float32]] = []
    kept: list[int] = []
    for first in range(0, len(images.names), _AT_ONCE):
        if time.monotonic() > end:
            break
        rows = range(first, min(first + _AT_ONCE, len(images.names)))
        pixels, faults = images.decode(rows)
        good = [place for place, row in enumerate(rows) if row not in faults]
        if good:
            found.append(features_of(pixels[good]))
        kept += [rows[place] for place in good]
    return np.concatenate(found) if found else np.empty(0), np.array(kept, np.int64)


def features_of(pixels: Pixels) -> NDArray[np.float32]:
    """Return ``[images, features]`` of ``[images, side, side, channels]``, bytes or shares."""
    shares = pixels.astype(np.float32) / (255 if pixels.dtype == np.uint8 else 1)
    down, right = np.gradient(shares.mean(-1), axis=(1, 2))
    strength = np.hypot(down, right)
    angle = np.arctan2(down, right) % np.pi  # dark to light or light to dark is the same edge
    place = np.minimum((angle * (_ANGLES / np.pi)).astype(np.int64), _ANGLES - 1)
    edges = _by_cell(strength[..., None] * (place[..., None] == np.arange(_ANGLES)))
    edges /= np.linalg.norm(edges, axis=-1, keepdims=True) + _FAINT
    flat = [part.reshape(len(pixels), -1) for part in (edges, _by_cell(shares))]
    return np.concatenate(flat, axis=1).astype(np.float32)


def _by_cell(values: NDArray[Any]) -> NDArray[Any]:
    """Return the means of square cells of ``[images, side, side, values]``."""
    images, side, _, count = values.shape
    cells = side // _CELL
    split = values.reshape(images, cells, _CELL, cells, _CELL, count)
    means: NDArray[Any] = split.mean((2, 4))
    return means
