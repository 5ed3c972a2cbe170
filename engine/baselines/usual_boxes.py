"""The baseline of object detection: the boxes that are the most frequent in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.metrics.images.detection import Found
from engine.models.images.detector import MOST
from engine.processes.later import Later

cluster = Later("sklearn.cluster")

USUAL_BOXES = "the most frequent boxes"
BOXES = 20_000
"""More training boxes than this take long."""


def usual_boxes(boxes: NDArray[np.float64], classes: NDArray[np.int64]) -> Found:
    """Return the same objects for every image, in shares of its sides: middles of clusters.

    ``boxes`` are ``[objects, 4]`` of the training images, as shares. Each class has as many of the
    :data:`MOST` objects as its part of them, and at least one; their scores are parts of all boxes.
    """
    step = -(-len(boxes) // BOXES)
    boxes, classes = boxes[::step], classes[::step]
    found: list[tuple[NDArray[np.float64], int, float]] = []
    for number, count in zip(*np.unique(classes, return_counts=True), strict=True):
        own = boxes[classes == number]
        most = min(len(np.unique(own, axis=0)), max(1, MOST * count // len(boxes)))
        groups = cluster.KMeans(most, n_init=1, random_state=0).fit(own)
        sizes = np.bincount(groups.labels_, minlength=most) / len(boxes)
        found += [
            (middle, int(number), float(size))
            for middle, size in zip(groups.cluster_centers_, sizes, strict=True)
        ]
    found.sort(key=lambda one: -one[2])
    middles, numbers, scores = zip(*found[:MOST], strict=True)
    return Found(np.stack(middles), np.array(numbers, np.int64), np.array(scores))


def in_image(found: Found, width: int, height: int) -> Found:
    """Return objects whose boxes are shares of the sides in pixels of an image."""
    sides: Sequence[int] = (width, height, width, height)
    return Found(found.boxes * np.array(sides), found.classes, found.scores)
