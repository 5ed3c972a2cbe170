"""The fields that say how training images are varied."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import Section, option


class AugmentationConfig(Section):
    """Random changes of training images, drawn anew in every epoch; 0 leaves each out."""

    flip: Literal["none", "horizontal", "vertical", "both"] = option(
        "none", "Random flip, for half of the images"
    )
    crop: int = option(
        0,
        "Random crop: shift images by up to this much, with mirrored borders",
        ge=0,
        le=128,
        unit="px",
    )
    zoom: float = option(
        0.0, "Random zoom: crop up to this fraction of the side, and enlarge", ge=0, le=0.9
    )
    rotation: float = option(0.0, "Random rotation by up to this angle", ge=0, le=180, unit="°")
    color_jitter: float = option(
        0.0,
        "Color jitter: change brightness, contrast and saturation by up to this fraction",
        ge=0,
        le=1,
    )
    erasing: float = option(
        0.0, "Random erasing: probability that a rectangle of the image is erased", ge=0, le=1
    )
    noise: float = option(
        0.0,
        "Gaussian noise: standard deviation per pixel, where white is 1",
        ge=0,
        le=1,
        advanced=True,
    )
