"""Load the data that a section names."""

from __future__ import annotations

from engine.data.raw import RawData
from engine.data.section import DataConfig
from engine.sections import resolve


def load_data(config: DataConfig) -> RawData:
    """Read the data; raises :class:`~engine.errors.DataError`."""
    data: RawData = resolve(config.implementation)(config)
    return data
