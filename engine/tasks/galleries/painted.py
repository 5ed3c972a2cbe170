"""Images with their masks or boxes painted in, as a network sees them."""

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


def mask_sample(
    image: Tensor, mask: Pixels, fitted: AnnotatedFitted, side: int = SIDE, **words: str
) -> Picture:
    """Return a network's input ``[channels, side, side]`` below a mask of class numbers.

    The picture has a ``side`` in pixels, and ``words`` as its name and its caption.
    """
    small = Image.fromarray(mask).resize((side, side), Image.Resampling.NEAREST)
    return picture(with_mask(_small(image, fitted, side), np.asarray(small)), side, **words)


def box_sample(
    image: Tensor, found: Found, fitted: AnnotatedFitted, side: int = SIDE, **words: str
) -> Picture:
    """Return a network's input with the outlines of objects; boxes are shares of the sides.

    The picture has a ``side`` in pixels, and ``words`` as its name and its caption.
    """
    boxes = (found.boxes * side).tolist()
    painted = with_boxes(_small(image, fitted, side), boxes, found.classes.tolist())
    return picture(painted, side, **words)


def _small(image: Tensor, fitted: AnnotatedFitted, side: int) -> Pixels:
    whole = Image.fromarray(pixels_of(image, fitted))
    return np.asarray(whole.resize((side, side), Image.Resampling.BOX))
