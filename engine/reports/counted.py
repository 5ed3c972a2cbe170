"""A number with its noun, in the singular or plural."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return ``1 row``, ``0 rows`` or ``1,234 rows``; ``plural`` is that of an irregular noun."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
