"""Tokens of a text with borders, as between prompts and answers, where offsets are not given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise, takewhile


def bordered(
    read: Callable[[int, int], list[int]], length: int, begins: Sequence[int], ends: Sequence[int]
) -> tuple[list[int], dict[int, int]]:
    """Return the tokens of a text, and how many of them stand before each border.

    ``read`` returns the tokens from one place of the text to another; ``length`` is its end. No
    token reaches over one of ``begins``: where one would, the text is cut there. One that reaches
    over one of ``ends`` stands behind it.
    """
    whole = read(0, length)
    cuts = {begin for begin in begins if 0 < begin < length}
    parts = [read(0, cut) for cut in cuts]
    if all(whole[: len(part)] == part for part in parts):
        cuts = set()
    ids: list[int] = []
    before = {0: 0}
    for start, stop in pairwise([0, *sorted(cuts), length]):
        part = read(start, stop)
        for border in {*begins, *ends}:
            if start <= border <= stop and border not in before:
                inside = _together(part, read(start, border))
                before[border] = len(ids) + inside
        ids += part
    return ids, before | {length: len(ids)}


def _together(first: Sequence[int], second: Sequence[int]) -> int:
    """Return the number of tokens that both begin with."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
