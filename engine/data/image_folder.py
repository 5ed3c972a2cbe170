"""Images in folders that are called as their classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from engine.data.section import DataConfig
from engine.fields import option
from engine.locations import anchored

if TYPE_CHECKING:
    from engine.data.raw import RawData


class ImageFolderConfig(DataConfig):
    """``folder/<class>/*.png``, or ``folder/train/<class>/…`` and ``folder/test/<class>/…``."""

    kind: Literal["image_folder"] = "image_folder"
    title = "folder of images"
    tasks: ClassVar[tuple[str, ...]] = ("image_classification",)

    path: str = option("", "Folder with a folder of images for each class")

    def anchored(self) -> ImageFolderConfig:
        """The same with a whole path."""
        return self.model_copy(update={"path": anchored(self.path)})

    @property
    def label(self) -> str:
        """The folder's name."""
        return Path(self.path).name or self.path

    def load(self) -> RawData:
        """List the images; raises :class:`~engine.errors.DataError`."""
        from engine.data.image_files import list_images

        return list_images(self.path)
