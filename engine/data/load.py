"""Load the data that a section names."""

from __future__ import annotations

from engine.config.data.base import DataConfig
from engine.config.registry import implementation
from engine.data.raw import RawData


def load_data(config: DataConfig) -> RawData:
    """Read the data; raises :class:`~engine.errors.DataError`."""
    data: RawData = implementation(config, "load")(config)
    return data
