"""The state that image classification fits on the training images."""

from __future__ import annotations

from typing import Literal

from engine.data.fitted import Fitted


class ImageFitted(Fitted):
    """Image properties fitted on the training images."""

    image: str
    label: str
    classes: list[str]
    counts: list[int]
    multi_label: bool
    channels: int
    size: int
    resize: Literal["crop", "stretch"]
    mean: list[float]
    std: list[float]
    sizes: dict[str, int]
    """Number of sampled images by size."""
