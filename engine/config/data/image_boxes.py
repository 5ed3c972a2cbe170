"""Images with boxes around objects, as COCO, YOLO, Pascal VOC and drawing tools keep them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from engine.config.data.base import DataConfig
from engine.config.fields import option
from engine.files.paths import anchored


class ImageBoxesConfig(DataConfig):
    """A folder with images and their annotations; names of files and folders say the split."""

    kind: Literal["image_boxes"] = "image_boxes"
    title = "folder of images and boxes"
    implementation = "engine.data.boxes.load:load_boxes"
    tasks: ClassVar[tuple[str, ...]] = ("object_detection",)

    path: str = option("", "Folder with images and annotations")
    format: Literal["auto", "coco", "yolo", "voc"] = option(
        "auto",
        "Format of the annotations: JSON of COCO or of a drawing tool (coco), YOLO's text files, "
        "XML of Pascal VOC or CVAT (voc); auto goes by the suffix of the files",
    )

    def anchored(self) -> ImageBoxesConfig:
        """The same with a whole path."""
        return self.model_copy(update={"path": anchored(self.path)})

    @property
    def label(self) -> str:
        """The folder's name."""
        return Path(self.path).name or self.path
