"""Images in folders that are called as their classes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from engine.config.data.base import DataConfig
from engine.config.fields import option
from engine.files.paths import anchored


class ImageFolderConfig(DataConfig):
    """``folder/<class>/*.png``, with ``train`` and ``test`` above, below or beside the classes."""

    kind: Literal["image_folder"] = "image_folder"
    title = "folder of images"
    implementation = "engine.data.image_files:load_images"
    tasks: ClassVar[tuple[str, ...]] = ("image_classification", "image_regression")

    path: str = option("", "Folder with one subfolder of images for each class, or each number")

    def anchored(self) -> ImageFolderConfig:
        """The same with a whole path."""
        return self.model_copy(update={"path": anchored(self.path)})

    @property
    def label(self) -> str:
        """The folder's name."""
        return Path(self.path).name or self.path
