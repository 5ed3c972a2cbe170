"""The data sources. Adding one: a section in this folder and a line here."""

from __future__ import annotations

from engine.config.data.base import DataConfig
from engine.config.registry import Registry

DATA: Registry[DataConfig] = Registry(
    "data source",
    "dltui.data",
    {
        "builtin": "engine.config.data.builtin:BuiltinConfig",
        "file": "engine.config.data.file:FileConfig",
        "image_folder": "engine.config.data.image_folder:ImageFolderConfig",
        "image_masks": "engine.config.data.image_masks:ImageMasksConfig",
        "image_boxes": "engine.config.data.image_boxes:ImageBoxesConfig",
        "hub": "engine.config.data.hub:HubConfig",
    },
)
