"""The source of pre-trained weights: a folder, a finished run, or a name on the hub."""

from __future__ import annotations

import json
from pathlib import Path

from engine.errors import TrainingError
from engine.files.paths import expanded, is_file, is_folder, runs_folder
from engine.files.slugs import is_name

ADAPTER = "adapter_config.json"


def base_of_adapter(place: str) -> str:
    """The base that an adapter's folder names; empty where ``place`` is no adapter's folder."""
    try:
        record = json.loads((Path(place) / ADAPTER).read_text())
    except (OSError, ValueError):
        return ""
    base = record.get("base_model_name_or_path") if isinstance(record, dict) else None
    return base if isinstance(base, str) else ""


def source_of(path: str) -> str:
    """Return the argument for transformers: a folder if ``path`` is one or a run, else a name.

    Raises :class:`TrainingError` for a folder that holds no model.
    """
    given = expanded(path)
    run = runs_folder() / path if is_name(path) else given
    for folder in (given, given / "model", run / "model"):
        if any(is_file(folder / name) for name in ("config.json", ADAPTER)):
            return str(folder)
    if given.is_absolute() or path.startswith((".", "~")) or is_folder(given) or is_folder(run):
        raise TrainingError(
            f"model.path: {path[:200]} holds no transformers model (no config.json).",
            "Give a folder that has one, a finished run, or a name on the hub.",
        )
    return path
