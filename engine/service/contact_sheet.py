"""The contact sheet of a data set of images, as they are stored; it does not wait for torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from engine.config.run_config import RunConfig
from engine.errors import DataError
from engine.pipelines.abilities import ContactSheet, ShowsImages
from engine.pipelines.create import create_pipeline
from engine.service.data_cache import loaded


def answer(values: Mapping[str, Any], each: int = 8, seed: int = 0) -> dict[str, Any]:
    """Answer ``contact sheet``: ``groups`` of ``each`` training images a class.

    Raises ``ConfigError`` and ``DataError``.
    """
    sheet = sheet_of(RunConfig.parse(values), each, seed)
    return {"groups": [asdict(group) for group in sheet.groups()]}


def sheet_of(config: RunConfig, each: int, seed: int) -> ContactSheet:
    """Return the sheet of a configuration's training images; raises ``DataError``."""
    pipeline = create_pipeline(config)
    if not isinstance(pipeline, ShowsImages):
        raise DataError("This data set has no images.", "Only images have a contact sheet.")
    raw, fitted = loaded(pipeline)
    return pipeline.sheet(raw, fitted, each, seed)
