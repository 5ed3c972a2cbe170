"""Calls for many images at once: in several threads, or in one while they are quick."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

_PIECE = 64


def threads() -> int:
    """Threads that decode at once; PIL's decoders do not hold Python's lock."""
    return min(8, os.cpu_count() or 1)


_QUICK = 2e-4
"""Seconds below which a call mostly waits for Python's lock where several threads make it."""


def quick_or_in_threads(function: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
    """``map`` for what reads only headers, in order: in threads once files are slow to come.

    From a disk nearby a header takes 50 µs, nearly all of it Python: two threads take twice as
    long as one. From one over a network most of the time is waiting.
    """
    for start in range(0, len(items), _PIECE):
        piece = items[start : start + _PIECE]
        seconds = []
        for item in piece:
            begun = time.perf_counter()
            found = function(item)
            seconds.append(time.perf_counter() - begun)
            yield found
        if median(seconds) > _QUICK:  # the first call of all imports PIL's readers
            yield from in_threads(function, items[start + _PIECE :])
            return


def in_threads(function: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
    """``map`` in several threads, in order."""
    starts = range(0, len(items), _PIECE)
    with ThreadPoolExecutor(threads()) as pool:
        for piece in pool.map(
            lambda start: [
                function(items[i]) for i in range(start, min(start + _PIECE, len(items)))
            ],
            starts,
        ):
            yield from piece
