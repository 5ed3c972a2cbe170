"""The state that image classification fits on the training images."""

from __future__ import annotations

from typing import Literal

from engine.data.fitted import Fitted
from engine.data.image_levels import Depth, Levels


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
    levels: Levels | None = None
    """Scale of images with more than eight bits; none in runs before it was recorded."""
    paged: int = 0
    """Number of sampled images with several pages."""
    see_through: int = 0
    """Number of sampled images with an opacity."""
    depths: tuple[Depth, ...] | None = None
    """Kinds of values in the sampled images; none in runs before they were recorded."""

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one decoded image."""
        width = 4 if self.levels and self.levels.exact else 1
        return self.channels * self.size**2 * width
