"""The fields that say how training images are varied."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import Section, option


class AugmentationConfig(Section):
    """Random changes of training images, drawn anew in every epoch; 0 leaves each out."""

    flip: Literal["none", "horizontal", "vertical", "both"] = option(
        "none", "Mirror half of the images"
    )
    crop: int = option(
        0, "Shift images by up to so many pixels, the border mirrored", ge=0, le=128, unit="px"
    )
    zoom: float = option(
        0.0, "Show as little as 1 minus this share of the side, enlarged", ge=0, le=0.9
    )
    rotation: float = option(0.0, "Turn by up to so many degrees", ge=0, le=180, unit="°")
    color_jitter: float = option(
        0.0, "Change brightness, contrast and saturation by up to this share", ge=0, le=1
    )
    erasing: float = option(
        0.0, "Share of the images in which a rectangle is blotted out", ge=0, le=1
    )
    noise: float = option(
        0.0, "Standard deviation of noise on every pixel, white being 1", ge=0, le=1, advanced=True
    )
