"""Python's garbage collector, kept out of the way while large libraries are imported."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 100
"""Containers, then collections of the younger generation, after which one is collected."""


@contextmanager
def collector_paused() -> Iterator[None]:
    """Collect no garbage within the block.

    An import makes objects that stay, a million of them for torch and transformers. To go through
    these again and again took a fifth of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def collect_seldom() -> None:
    """Let the collector skip what there is by now, and seldom go through the rest.

    For a process that has imported its libraries and works on one run: what it imports or reads
    besides stays, too, and going through it again and again took half a second of its start.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
