"""What a network must take in and give out, as the data asks for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TabularShape:
    """Rows of a table."""

    numeric: int
    """Numeric columns: inputs ``numeric`` are float ``[batch, numeric]``."""
    cardinalities: tuple[int, ...]
    """Number of codes of each categorical column: inputs are int64 ``[batch, columns]``."""
    outputs: int


@dataclass(frozen=True, slots=True)
class ImageShape:
    """Images of one size: float ``[batch, channels, size, size]``."""

    channels: int
    size: int
    outputs: int
