"""The fields that say how training images with boxes or masks are varied."""

from __future__ import annotations

from engine.config.fields import Section, option
from engine.config.tasks.augmentation import COLOR_JITTER, FLIP, NOISE, Flip


class PlacedAugmentationConfig(Section):
    """Random changes of training images, drawn anew in every epoch; 0 leaves each out.

    What moves pixels moves boxes and masks alike.
    """

    flip: Flip = FLIP
    zoom: float = option(
        0.0,
        "Random zoom in and out by up to this fraction of the side, at a random place",
        ge=0,
        le=0.9,
    )
    color_jitter: float = COLOR_JITTER
    noise: float = NOISE
