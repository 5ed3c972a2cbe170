"""Load a built-in data set."""

from __future__ import annotations

from engine.data.builtin import BUILTIN, BuiltinConfig
from engine.data.raw import RawData
from engine.sections import resolve


def load_builtin(config: BuiltinConfig) -> RawData:
    """Make the data; it is the same every time."""
    data: RawData = resolve(BUILTIN[config.name].place)()
    return data
