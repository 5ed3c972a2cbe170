"""The fields of semantic segmentation."""

from __future__ import annotations

import re
from typing import ClassVar, Final, Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.metric import LOSS, Metric
from engine.config.tasks.annotated_images import AnnotatedImagesConfig
from engine.files.sanitize import plain

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
AUTO: Final = "auto"


class SemanticSegmentationConfig(AnnotatedImagesConfig):
    """Masks, their classes, and the loss."""

    kind: Literal["semantic_segmentation"] = "semantic_segmentation"
    title = "Semantic segmentation"
    implementation = "engine.tasks.semantic_segmentation:SemanticSegmentation"
    pipeline = "engine.pipelines.semantic_segmentation:SemanticSegmentationPipeline"
    models = ("unet", "torchvision_segmentation", "segmentation_transformer")
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("miou", percent=True, help="mean IoU: intersection over union of each class"),
        LOSS,
        Metric("pixel_accuracy", percent=True, help="share of pixels whose class was found"),
        Metric("dice", percent=True, help="mean Dice coefficient (F1 of pixels) of the classes"),
    )

    mask: str = option("", "Column with the masks; empty finds it", column=True)
    classes: tuple[str, ...] = option(
        (),
        "Classes by mask value or colour, such as 0=background, 7=road or #ff0000=car; empty takes "
        "those found beside the masks, else their values",
    )
    ignore_index: str = option(
        AUTO,
        "Mask value or colour of pixels that are neither learned nor counted; auto takes 255, "
        "unless the masks are of 0 and 255 alone",
        suggestions=(AUTO, "none", "255", "#e0e0c0"),
    )
    run_order: Literal["auto", "columns", "rows"] = option(
        AUTO, "Order in which run lengths count pixels; auto finds it from them and the images"
    )
    class_weights: Literal["none", "balanced"] = option(
        "none", "Class weights in the loss; balanced weighs classes by inverse frequency of pixels"
    )
    dice_weight: float = option(
        0.0, "Weight of the Dice loss, which is added to cross-entropy", ge=0, le=100
    )

    @field_validator("classes")
    @classmethod
    def _classes_have_values(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            number, sign, name = text.partition("=")
            if not sign or not name.strip() or mask_value(number) is None:
                raise PydanticCustomError(
                    "not_allowed",
                    "{text} is not value=name, such as 7=road or #ff0000=car",
                    {"text": plain(text, 60)},
                )
        return value

    @field_validator("ignore_index")
    @classmethod
    def _is_a_value(cls, value: str) -> str:
        if value not in (AUTO, "none") and mask_value(value) is None:
            raise PydanticCustomError(
                "not_allowed", "must be auto, none, a mask value such as 255, or a colour"
            )
        return value


def mask_value(text: str) -> int | None:
    """Return the number of a mask value or of a colour such as ``#ff0000``; ``None`` for others."""
    text = text.strip()
    if _COLOUR.fullmatch(text):
        return int(text[1:], 16)
    return int(text) if text.isdecimal() and len(text) < 6 else None
