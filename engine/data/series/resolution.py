"""Times that are finer than the microseconds in which times are held here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.data.series.channels import is_text
from engine.errors import DataError
from engine.files.sanitize import plain

_DIGITS = r"\.\d{7,9}"
"""Fractions of a second in texts that are finer than a microsecond."""
_NANOSECONDS = 10**18
"""Whole numbers from here on count nanoseconds since 1970."""
_MOSTLY = 0.9
"""Share of different times that must stay different."""


def check_resolution(name: str, column: pa.Array) -> None:
    """Raise :class:`DataError` where different times would become the same microsecond."""
    times = _nanoseconds(column)
    if times is None:
        return
    distinct = np.unique(times)
    if len(np.unique(distinct // 1000)) < _MOSTLY * len(distinct):
        step = int(np.median(np.diff(distinct)))
        raise DataError(
            f"The times in {plain(name, 60)!r} are {step:,} nanoseconds apart: steps finer than a "
            "microsecond are not supported.",
            "Set task.time to a column of whole numbers that count the rows, or take means over "
            "microseconds.",
        )


def _nanoseconds(column: pa.Array) -> NDArray[np.int64] | None:
    """Return the times in nanoseconds, where they may be finer than microseconds."""
    if pt.is_timestamp(column.type) and column.type.unit == "ns":
        return np.asarray(column.cast(pa.int64()))
    if pt.is_integer(column.type) and len(column) and pc.min(column).as_py() >= _NANOSECONDS:
        return np.asarray(column.cast(pa.int64(), safe=False))
    if is_text(column.type) and pc.any(pc.match_substring_regex(column, _DIGITS)).as_py():
        read = pd.to_datetime(pd.Series(column.to_pandas()), errors="coerce", utc=True)
        known = read.dropna().dt.tz_localize(None)
        return known.to_numpy().astype("M8[ns]").astype(np.int64)
    return None
