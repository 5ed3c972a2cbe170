"""The fields that say how training images with boxes or masks are varied."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import Section, option


class PlacedAugmentationConfig(Section):
    """Random changes of training images, drawn anew in every epoch; 0 leaves each out.

    What moves pixels moves boxes and masks alike.
    """

    flip: Literal["none", "horizontal", "vertical", "both"] = option(
        "none", "Random flip, for half of the images"
    )
    zoom: float = option(
        0.0,
        "Random zoom in and out by up to this fraction of the side, at a random place",
        ge=0,
        le=0.9,
    )
    color_jitter: float = option(
        0.0,
        "Color jitter: change brightness, contrast and saturation by up to this fraction",
        ge=0,
        le=1,
    )
    noise: float = option(
        0.0,
        "Gaussian noise: standard deviation per pixel, where white is 1",
        ge=0,
        le=1,
        advanced=True,
    )
