"""Images with masks of their classes, in folders."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from engine.config.data.base import DataConfig
from engine.config.fields import option
from engine.files.paths import anchored


class ImageMasksConfig(DataConfig):
    """``images/a.jpg`` with ``masks/a.png``; ``train`` and ``test`` above or below these."""

    kind: Literal["image_masks"] = "image_masks"
    title = "folder of images and masks"
    implementation = "engine.data.mask_files:load_masks"
    tasks: ClassVar[tuple[str, ...]] = ("semantic_segmentation",)

    path: str = option("", "Folder with images and their masks, or outlines of COCO or LabelMe")
    masks: str = option(
        "",
        "Name of the folders with masks; empty takes masks, labels, annotations and their like",
        advanced=True,
    )

    def anchored(self) -> ImageMasksConfig:
        """The same with a whole path."""
        return self.model_copy(update={"path": anchored(self.path)})

    @property
    def label(self) -> str:
        """The folder's name."""
        return Path(self.path).name or self.path
