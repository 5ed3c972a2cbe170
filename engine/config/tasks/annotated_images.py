"""The fields that tasks on images with boxes or masks share."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.tasks.base import TaskConfig
from engine.config.tasks.placed_augmentation import PlacedAugmentationConfig

SIDE_STEP = 32
"""Networks halve the side of an image up to five times."""


class AnnotatedImagesConfig(TaskConfig):
    """Column and size of the images, and augmentation."""

    domain = "vision"
    by_data = frozenset({"train.epochs"})
    resize: ClassVar[Literal["crop", "stretch"]] = "stretch"
    """The whole image is always seen, since boxes and masks lie anywhere in it."""

    image: str = option("", "Column with the images; empty finds it", column=True)
    image_size: int = option(
        0,
        "Image size after resizing, a multiple of 32; 0 takes that of the pre-trained weights, "
        "else the most frequent one up to 224",
        ge=0,
        le=2048,
        unit="px",
        automatic="0",
    )
    augmentation: PlacedAugmentationConfig = Field(default_factory=PlacedAugmentationConfig)

    @field_validator("image_size")
    @classmethod
    def _divisible(cls, value: int) -> int:
        if value % SIDE_STEP:
            raise PydanticCustomError("not_allowed", "must be a multiple of 32")
        return value
