"""Values of fields that are left empty."""

from __future__ import annotations

from engine.config.run_config import RunConfig

BY_DATA = "by the data"


def usual_value(config: RunConfig, name: str) -> str:
    """Return what the field comes to if it is empty, in words; empty where it has no such value.

    As far as the configuration alone tells it.
    """
    if name in config.by_data:
        return BY_DATA
    known = {
        "train.learning_rate": f"{config.usual_rate:g}",
        "train.epochs": str(config.train.epoch_count),
        "train.batch_size": str(config.train.batch_rows),
    }
    return known.get(name, "")


def epochs_for(updates: int, rows: int, batch_size: int, least: int, most: int) -> int:
    """Return the epochs over ``rows`` that make about as many updates, within their bounds."""
    an_epoch = -(-rows // batch_size)
    return max(least, min(most, round(updates / an_epoch)))
