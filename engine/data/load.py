"""Load the data that a section names."""

from __future__ import annotations

from engine.config.data.base import DataConfig
from engine.config.registry import implementation, resolve
from engine.data.raw import RawData


def load_data(config: DataConfig) -> RawData:
    """Read the data; raises :class:`~engine.errors.DataError`."""
    data: RawData = implementation(config, "load")(config)
    return data


def load_texts(config: DataConfig) -> RawData:
    """Read the data with texts as they are written, if the source can tell.

    ``0.50``, ``093`` and ``true`` are what a model is to learn, not the number or truth value that
    they stand for. Raises :class:`~engine.errors.DataError`.
    """
    if not config.text_implementation:
        return load_data(config)
    data: RawData = resolve(config.text_implementation)(config)
    return data
