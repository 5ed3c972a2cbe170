"""A column of numbers beside texts, whose cells may be written as texts themselves."""

from __future__ import annotations

import math

import pyarrow as pa

from engine.data.raw import decimal_mark_of
from engine.data.tables.values import number_format_of, numbers


def numbers_of(table: pa.Table, column: str) -> list[float | None]:
    """Return the numbers of a column; none where a cell holds no finite number."""
    values = numbers(table[column], number_format_of(table[column], decimal_mark_of(table)))
    return [value if math.isfinite(value) else None for value in values.tolist()]
