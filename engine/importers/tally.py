"""Counts of values met in files of other programs, for the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator


class Tally:
    """Counts what was damaged, left out or changed, by a sentence with ``{}`` for the number."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, sentence: str, count: int = 1) -> None:
        """Count something once more."""
        self._counts[sentence] += count

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each, in the order of their first occurrence."""
        for sentence, count in self._counts.items():
            yield sentence.replace("{}", f"{count:,}")
