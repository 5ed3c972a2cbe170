"""The state that tasks on images with boxes or masks fit on the training images."""

from __future__ import annotations

from typing_extensions import override

from engine.data.fitted import Fitted
from engine.data.image_levels import Depth, Levels
from engine.data.masks import MaskCoding
from engine.vision.images_in_words import WHOLE, images_in_words


class AnnotatedFitted(Fitted):
    """Classes, and properties of the images; networks see three colours."""

    image: str
    classes: list[str]
    counts: list[int]
    """For each class, the objects in the training images, or the masks that have it."""
    rows: int = 0
    """The training images; 0 in runs before it was recorded."""
    size: int
    mean: list[float]
    std: list[float]
    sizes: dict[str, int]
    """Number of sampled images by size."""
    levels: Levels | None = None
    """Scale of images with more than eight bits."""
    paged: int = 0
    """Number of sampled images with several pages."""
    see_through: int = 0
    """Number of sampled images with an opacity."""
    depths: tuple[Depth, ...] | None = None
    """Kinds of values in the sampled images; none in runs before they were recorded."""
    channels: int = 3

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one decoded image."""
        width = 4 if self.levels and self.levels.exact else 1
        return self.channels * self.size**2 * width

    @property
    @override
    def preparation(self) -> str:
        normalization = self.mean, self.std
        return images_in_words(WHOLE, self.channels, self.size, normalization, self.levels)


class SegmentationFitted(AnnotatedFitted):
    """Images with masks."""

    mask: str
    values: list[int]
    """The mask value, or the colour as a 24-bit number, of each class."""
    ignored: int | None
    """The mask value that is neither learned nor counted."""
    coloured: bool
    """Whether mask values are colours."""
    greys: bool = False
    """Whether indices stand for the grey values in the palette of their mask."""
    pixels: list[float]
    """Each class's share of the pixels of the training masks."""

    @property
    def coding(self) -> MaskCoding:
        """From mask values to numbers of classes."""
        return MaskCoding(tuple(self.values), self.ignored, self.coloured, self.greys)


class DetectionFitted(AnnotatedFitted):
    """Images with boxes."""

    objects: str
