"""Python's garbage collector, kept out of the way while large libraries are imported."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused(for_good: bool = False) -> Iterator[None]:
    """Collect no garbage within the block.

    An import makes objects that stay, a million of them for torch and transformers. To go through
    these again and again took a fifth of the time. ``for_good`` leaves them out later, too, where a
    time takes a sixth of a second: for a process that ends with its run, as garbage of before the
    end of the block stays.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
        if for_good:
            gc.freeze()
