"""Values of fields that are left empty, as far as the configuration alone tells them."""

from __future__ import annotations

from engine.config.run_config import RunConfig

BY_DATA = "by the data"


def usual_value(config: RunConfig, name: str) -> str:
    """Return what the field comes to if it is empty, in words; empty where it has no such value."""
    if name in config.by_data:
        return BY_DATA
    known = {
        "train.learning_rate": f"{config.usual_rate:g}",
        "train.epochs": str(config.train.epoch_count),
        "train.batch_size": str(config.train.batch_rows),
    }
    return known.get(name, "")
