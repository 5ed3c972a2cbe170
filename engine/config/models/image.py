"""The fields that image models share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.config.fields import option
from engine.config.models.base import ModelConfig


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Size and normalization of the images on which weights were pre-trained."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class ImageModelConfig(ModelConfig):
    """Trained layers and their learning rates, for networks that may be pre-trained."""

    trainable: Literal["all", "last_stage", "head"] = option(
        "all", "Layers that are trained: all, the last stage and the head, or the head alone"
    )
    backbone_lr_scale: float = option(
        1.0, "Learning rate of the backbone, as a multiple of that of the head", gt=0, le=1
    )

    @property
    def head_only(self) -> bool:
        """Whether the head alone is trained."""
        return self.trainable == "head"
