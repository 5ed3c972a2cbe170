"""The default name of a run: after its data and its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.config.overrides import look_up
from engine.files.slugs import to_name


def usual_name(values: Mapping[str, Any]) -> str:
    """Return a name for nested ``values`` of a configuration, such as ``photos-cnn``."""
    data = look_up(values, "data.name") or look_up(values, "data.path") or "data"
    stem = str(data).rstrip("/").rpartition("/")[2].partition(".")[0]
    return to_name(f"{stem}-{look_up(values, 'model.kind')}".replace("_", "-"))
