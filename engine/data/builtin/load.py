"""Load a built-in data set."""

from __future__ import annotations

from engine.config.data.builtin import BUILTIN, BuiltinConfig
from engine.config.registry import resolve
from engine.data.raw import RawData


def load_builtin(config: BuiltinConfig) -> RawData:
    """Make the data; it is the same every time."""
    data: RawData = resolve(BUILTIN[config.name].place)()
    return data
