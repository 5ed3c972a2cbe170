"""Treatment of freed memory by the C library and by Arrow."""

from __future__ import annotations

import ctypes

import pyarrow as pa

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's ``mallopt``, by their numbers in ``malloc.h``."""
_LARGEST_ON_HEAP = 32 << 20
"""Bytes; glibc takes no larger threshold."""
_ARRAY = 1 << 20
"""Bytes of memory that is mapped by itself, and unmapped when it is freed."""
_NEVER = 2**31 - 1


def return_freed_arrays() -> None:
    """Let arrays and tables go back to the system as soon as they are freed.

    Else glibc keeps ever larger ones the more of them it has freed, and Arrow's own allocator all:
    what it took to read, split and encode the data would stay beside the network's memory.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _ARRAY)


def return_freed_memory() -> None:
    """Return what was freed before, also between what is still in use, to the system.

    Does nothing where the C library has no such function.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def keep_freed_memory() -> None:
    """Let this process keep what it frees, for the next update needs the same again.

    Else glibc gives activations back to the system and gets them anew, page by page and filled with
    zeros: a tenth of the time of a small Llama's updates on the CPU. The peak stays as it is where
    updates need the same tensors in the same order. Does nothing where the C library has no such
    option.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_ON_HEAP)
        mallopt(_TRIM_THRESHOLD, _NEVER)
