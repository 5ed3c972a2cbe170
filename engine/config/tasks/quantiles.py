"""The type of fields that hold quantile levels."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


def _rising(value: tuple[float, ...]) -> tuple[float, ...]:
    inside = all(0 < level < 1 for level in value)
    if not inside or list(value) != sorted(set(value)) or 0.5 not in value:
        raise PydanticCustomError(
            "not_allowed",
            "must rise from above 0 to below 1 and have 0.5, such as [0.1, 0.5, 0.9]",
        )
    return value


Quantiles = Annotated[tuple[float, ...], AfterValidator(_rising)]
"""Levels in rising order, with the median."""
