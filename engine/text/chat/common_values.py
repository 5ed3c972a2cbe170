"""The value that all rows have, such as one system prompt for all conversations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def common(values: Iterable[T]) -> T | None:
    """Return the value that all have; ``None`` where they differ, where it is empty or none is.

    Reads no further than to the first value that is another one, or empty.
    """
    found: T | None = None
    for value in values:
        if not value or (found is not None and value != found):
            return None
        found = value
    return found
