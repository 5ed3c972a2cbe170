"""Times of day as numbers: the time since midnight, of a type of times or written ``17:30``."""

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
    if pa.types.is_time(kind):
        return NumberFormat(clock=kind.unit)
    given = pc.match_substring_regex(pa.array(values, pa.string()), _CLOCK)
    return NumberFormat(clock="s") if values and pc.mean(given).as_py() >= share else None


def parsed_clocks(values: Sequence[str], unit: ClockUnit) -> NDArray[np.float64]:
    """Return the time since midnight, NaN for texts that are no times of day."""
    found = pc.extract_regex(pa.array(values, pa.string()), _CLOCK)
    hour, minute, second = (_floats(pc.struct_field(found, name)) for name in _PARTS)
    return (hour * 3600 + minute * 60 + np.nan_to_num(second)) * _UNITS[unit]


def typed_clocks(column: pa.ChunkedArray, unit: ClockUnit) -> NDArray[np.float64]:
    """Return the time since midnight of a column of times, in a unit that may be another."""
    whole = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
    return _floats(whole) * (_UNITS[unit] / _UNITS[column.type.unit])


def _floats(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """Numbers, or texts of some, as float64; NaN for those that are missing or empty."""
    if pa.types.is_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan), dtype=np.float64)
