"""The fields that say how training images are varied."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import Section, option

Flip = Literal["none", "horizontal", "vertical", "both"]
FLIP = option("none", "Random flip, for half of the images")
COLOR_JITTER = option(
    0.0,
    "Color jitter: change brightness, contrast and saturation by up to this fraction",
    ge=0,
    le=1,
    advanced=True,
)
NOISE = option(
    0.0,
    "Gaussian noise: standard deviation per pixel, where white is 1",
    ge=0,
    le=1,
    advanced=True,
)
"""The augmentations of images with and without boxes or masks alike."""


class AugmentationConfig(Section):
    """Random changes of training images, drawn anew in every epoch; 0 leaves each out."""

    flip: Flip = FLIP
    crop: int = option(
        0,
        "Random crop: shift images by up to this much, with mirrored borders",
        ge=0,
        le=128,
        unit="px",
    )
    zoom: float = option(
        0.0,
        "Random zoom: crop up to this fraction of the side, and enlarge",
        ge=0,
        le=0.9,
        advanced=True,
    )
    rotation: float = option(
        0.0, "Random rotation by up to this angle", ge=0, le=180, unit="°", advanced=True
    )
    color_jitter: float = COLOR_JITTER
    erasing: float = option(
        0.0,
        "Random erasing: probability that a rectangle of the image is erased",
        ge=0,
        le=1,
        advanced=True,
    )
    noise: float = NOISE


class WholeAugmentationConfig(AugmentationConfig):
    """The same, and what suits images with one answer for the whole."""

    resized_crop: float = option(
        0.0,
        "Random resized crop: smallest fraction of the area that is cropped from the full pixels, "
        "with sides of 3:4 to 4:3; 0 disables it",
        ge=0,
        le=1,
        advanced=True,
    )
    policy: Literal["none", "trivial", "rand"] = option(
        "none",
        "Random operations on geometry and colors: TrivialAugment (one, of random strength) or "
        "RandAugment (several, of the same strength)",
    )
    policy_operations: int = option(
        2, "RandAugment: operations on each image", ge=1, le=14, advanced=True
    )
    policy_magnitude: int = option(9, "RandAugment: strength", ge=0, le=30, advanced=True)


class ClassAugmentationConfig(WholeAugmentationConfig):
    """The same, and what suits images with classes alone."""

    mixup: float = option(
        0.0,
        "Mixup: alpha of the beta distribution of the share with which two images and their "
        "classes are blended; 0 disables it",
        ge=0,
        le=10,
        advanced=True,
    )
    cutmix: float = option(
        0.0,
        "CutMix: alpha of the beta distribution of the share of an image that stays, the rest "
        "being a rectangle of another; with mixup, each is used in half of the batches",
        ge=0,
        le=10,
        advanced=True,
    )
    start_size: int = option(
        0,
        "Progressive resizing: image size in the first epoch; it reaches the full size after "
        "seven tenths of the epochs; 0 disables it",
        ge=0,
        le=1024,
        unit="px",
        advanced=True,
    )
