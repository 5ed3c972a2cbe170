"""A moment as a text that still knows which moment it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa


class WrittenMoment(str):
    """A moment in the form that the data writes it in.

    ``time`` is in microseconds since 1970, in UTC where there is a ``zone``, else on the local
    clock.
    """

    time: int
    zone: str

    def __new__(cls, text: str, time: int, zone: str = "") -> WrittenMoment:
        """Return ``text`` with the moment that it stands for."""
        written = super().__new__(cls, text)
        written.time, written.zone = time, zone
        return written


def as_timestamps(values: Sequence[Any]) -> pa.Array | None:
    """Return written moments as timestamps, with their zone; ``None`` for other values."""
    if not values or not all(isinstance(value, WrittenMoment) for value in values):
        return None
    kind = pa.timestamp("us", values[0].zone or None)
    return pa.array([value.time for value in values], pa.int64()).cast(kind)
