"""The state that tasks on images with a class or a number fit on the training images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from typing_extensions import override

from engine.data.fitted import Fitted
from engine.data.image_levels import Depth, Levels
from engine.vision.images_in_words import WHOLE, images_in_words


class PixelFitted(Fitted):
    """Image properties fitted on the training images."""

    image: str
    rows: int = 0
    """The training images; 0 in runs before it was recorded."""
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

    @property
    @override
    def preparation(self) -> str:
        cut = "the middle square of an image, resized"
        part = cut if self.resize == "crop" else WHOLE
        normalization = self.mean, self.std
        return images_in_words(part, self.channels, self.size, normalization, self.levels)


class ImageFitted(PixelFitted):
    """With the classes of the training images."""

    label: str
    classes: list[str]
    counts: list[int]
    multi_label: bool


class NumberedFitted(PixelFitted):
    """With the scale of the numbers of the training images."""

    target: str
    names: list[str]
    """The name of the network's only output."""
    target_mean: float
    target_std: float
    lowest: float
    highest: float
    bands: list[float] = Field(default_factory=list)
    """For each of ``task.quantiles``, its distance to the prediction in local scales; empty where
    none were fitted."""
    scale_predictions: list[float] = Field(default_factory=list)
    """Predictions, standardised, at which the local scale is known; empty where it is 1."""
    scale_errors: list[float] = Field(default_factory=list)
    """The local scale there: mean absolute errors."""
