"""Samples for the monitor with their masks or boxes painted in, as small as its cells show them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.metrics.images.detection import Found
from engine.reports.picture import Picture
from engine.tasks.galleries.images import pixels_of
from engine.vision.annotated.painting import with_boxes, with_mask
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.pictures import picture

SIDE = 24
"""Pixels of a side: the events of a run have such pictures of each evaluation."""
Pixels = NDArray[np.uint8]


def mask_sample(image: Tensor, mask: Pixels, fitted: AnnotatedFitted, name: str) -> Picture:
    """Return a network's input ``[channels, side, side]`` below a mask of class numbers."""
    small = Image.fromarray(mask).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return picture(with_mask(_small(image, fitted), np.asarray(small)), SIDE, name=name)


def box_sample(image: Tensor, found: Found, fitted: AnnotatedFitted, name: str) -> Picture:
    """Return a network's input with the outlines of objects; boxes are shares of the sides."""
    boxes = (found.boxes * SIDE).tolist()
    return picture(with_boxes(_small(image, fitted), boxes, found.classes.tolist()), SIDE,
                   name=name)  # fmt: skip


def _small(image: Tensor, fitted: AnnotatedFitted) -> Pixels:
    whole = Image.fromarray(pixels_of(image, fitted))
    return np.asarray(whole.resize((SIDE, SIDE), Image.Resampling.BOX))
