"""Run lengths of COCO: the pixels of a mask by columns, outside and inside in turn.

Read here and not by pycocotools, which does not check what it unpacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def runs_of(counts: Any) -> list[tuple[int, int]]:
    """Return runs of COCO's counts: pixels outside and inside in turn, as numbers or packed."""
    if isinstance(counts, str):
        counts = numbers_in(counts)
    if not isinstance(counts, list) or not all(isinstance(one, int) and one >= 0 for one in counts):
        return []
    runs, place = [], 0
    for number, count in enumerate(counts):
        if number % 2 and count:
            runs.append((place, count))
        place += count
    return runs


def numbers_in(text: str) -> list[int]:
    """Return the numbers that COCO packs into characters: five bits each, differences by two."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        value -= (1 << shift) if bits & 0x10 else 0
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return counts


def around_runs(runs: Sequence[tuple[int, int]], height: int, width: int) -> list[float]:
    """Return left, top, right, bottom of the pixels of runs.

    Empty for none, and for runs that reach beyond the ``height`` and ``width`` of their image.
    """
    ends = [(first, first + count - 1) for first, count in runs]
    if not ends or ends[-1][1] >= height * width:
        return []
    across = [place // height for run in ends for place in run]
    whole = any(first // height != last // height for first, last in ends)
    down = [0, height - 1] if whole else [place % height for run in ends for place in run]
    return [float(min(across)), float(min(down)), float(max(across) + 1), float(max(down) + 1)]
