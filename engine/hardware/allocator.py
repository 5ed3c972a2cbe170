"""The C library's treatment of freed memory."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's ``mallopt``, by their numbers in ``malloc.h``."""
_LARGEST_ON_HEAP = 32 << 20
"""Bytes; glibc takes no larger threshold."""
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Let this process keep what it frees, for the next update needs the same again.

    Else glibc gives activations back to the system and gets them anew, page by page and filled with
    zeros: a tenth of the time of a small Llama's updates on the CPU. The peak stays as it is. Does
    nothing where the C library has no such option.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_ON_HEAP)
        mallopt(_TRIM_THRESHOLD, _NEVER)
