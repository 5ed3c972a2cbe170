"""Some of very many texts, spread evenly over all."""

from __future__ import annotations

from collections.abc import Iterable

MOST_CHARACTERS = 20_000_000
"""From so much text a tokenizer learns its words; more takes longer and changes few of them."""


def evenly_spread(texts: Iterable[str], most: int = MOST_CHARACTERS) -> list[str]:
    """All texts, or every second, fourth, … so that they have at most ``most`` characters."""
    kept: list[str] = []
    size, apart = 0, 1
    for number, text in enumerate(texts):
        if number % apart:
            continue
        kept.append(text)
        size += len(text)
        while size > most and len(kept) > 1:
            kept = kept[::2]
            apart *= 2
            size = sum(map(len, kept))
    return kept
