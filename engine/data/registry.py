"""The data sources. Adding one: a section in this folder and a line here."""

from __future__ import annotations

from engine.data.section import DataConfig
from engine.sections import Registry

DATA: Registry[DataConfig] = Registry(
    "data source",
    "dltui.data",
    {
        "builtin": "engine.data.builtin:BuiltinConfig",
        "file": "engine.data.file:FileConfig",
        "image_folder": "engine.data.image_folder:ImageFolderConfig",
        "hub": "engine.data.hub:HubConfig",
    },
)
