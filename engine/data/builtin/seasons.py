"""Series that are made up: seasons, trend and noise, the same every time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.raw import TRAIN, RawData

_HOURS = 180 * 24
_MONTHS = 480


def hourly() -> RawData:
    """Half a year of an hourly load that follows the day, the week and the temperature."""
    random = np.random.default_rng(0)
    hours = np.arange(_HOURS)
    times = np.datetime64("2023-01-01T00", "h") + hours
    day, week = 2 * np.pi * hours / 24, hours // 24 % 7
    year = 2 * np.pi * hours / (365 * 24)
    weather = _walk(random, _HOURS, memory=0.98)
    temperature = 10 - 9 * np.cos(year) - 4 * np.cos(day - 0.6) + 2.5 * weather
    wind = np.clip(6 + 2 * _walk(random, _HOURS, memory=0.95), 0, None)
    working = np.where((week == 0) | (week == 6), 0.75, 1.0)
    daily = 1 + 0.35 * np.sin(day - 2.2) + 0.15 * np.sin(2 * day - 0.5)
    heating = 6 * np.clip(16 - temperature, 0, None)
    load = 420 * working * daily + heating + 12 * random.standard_normal(_HOURS)
    return _table(times, temperature=temperature, wind=wind, load=load)


def monthly() -> RawData:
    """Forty years of months whose season grows with the level."""
    random = np.random.default_rng(0)
    months = np.arange(_MONTHS)
    times = (np.datetime64("1984-01", "M") + months).astype("M8[D]")
    season = (
        1 + 0.2 * np.sin(2 * np.pi * months / 12 - 1.5) + 0.08 * np.sin(4 * np.pi * months / 12)
    )
    level = 120 * np.exp(0.004 * months + 0.08 * _walk(random, _MONTHS, memory=0.95))
    noise = 1 + 0.02 * random.standard_normal(_MONTHS)
    return _table(times, passengers=level * season * noise)


def _walk(random: np.random.Generator, length: int, memory: float) -> NDArray[np.float64]:
    """Noise that remembers: an autoregressive process of order one with deviation 1."""
    steps = random.standard_normal(length) * np.sqrt(1 - memory**2)
    walk = np.empty(length)
    value = 0.0
    for i, step in enumerate(steps):
        value = memory * value + step
        walk[i] = value
    return walk


def _table(times: NDArray[np.datetime64], **columns: NDArray[np.float64]) -> RawData:
    """Rounded as a meter would, which also hides differences between machines' sines."""
    rounded = {name: pa.array(values.round(2)) for name, values in columns.items()}
    return RawData({TRAIN: pa.table({"time": pa.array(times.astype("M8[us]"))} | rounded)})
