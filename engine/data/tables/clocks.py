"""Times of day and durations as numbers: of a type of their own, or times written ``17:30``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.tables.schema import ClockUnit, NumberFormat

_CLOCK = r"^(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d(?:\.\d+)?))?$"
_PARTS = ("hour", "minute", "second")
_UNITS: dict[ClockUnit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Number of each unit in a second."""


def find_clock_format(
    kind: pa.DataType, values: Sequence[str], share: float
) -> NumberFormat | None:
    """Return the format of times of day: of their type, or of texts of which a ``share`` are some.

    Texts are read in seconds.
    """
    if (typed := format_of_type(kind)) is not None:
        return typed
    given = pc.match_substring_regex(pa.array(values, pa.string()), _CLOCK)
    return NumberFormat(clock="s") if values and pc.mean(given).as_py() >= share else None


def format_of_type(kind: pa.DataType) -> NumberFormat | None:
    """Return the format of a type of times of day or of durations; ``None`` for other types.

    Durations are numbers of seconds: programs store the same ones in several units.
    """
    if pa.types.is_time(kind):
        return NumberFormat(clock=kind.unit)
    return NumberFormat(clock="s") if pa.types.is_duration(kind) else None


def clock_reading(kind: pa.DataType) -> str:
    """Return how times of a type, or of texts, are read, for the user."""
    if pa.types.is_duration(kind):
        return "durations are read as seconds"
    unit = kind.unit if pa.types.is_time(kind) else "s"
    measure = "" if unit == "s" else f" in {unit}"
    return f"times of day are read as the time since midnight{measure}"


def parsed_clocks(values: Sequence[str], unit: ClockUnit) -> NDArray[np.float64]:
    """Return the time since midnight, NaN for texts that are no times of day."""
    found = pc.extract_regex(pa.array(values, pa.string()), _CLOCK)
    hour, minute, second = (_floats(pc.struct_field(found, name)) for name in _PARTS)
    return (hour * 3600 + minute * 60 + np.nan_to_num(second)) * _UNITS[unit]


def typed_clocks(column: pa.ChunkedArray, unit: ClockUnit) -> NDArray[np.float64]:
    """Return the times of a column of times or durations, in a unit that may be another."""
    whole = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
    return _floats(whole) * _UNITS[unit] / _UNITS[column.type.unit]


def _floats(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """Numbers, or texts of some, as float64; NaN for those that are missing or empty."""
    if pa.types.is_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan), dtype=np.float64)
