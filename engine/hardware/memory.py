"""Out-of-memory errors and how memory is released."""

from __future__ import annotations

import gc

import torch

_WORDS = ("can't allocate memory", "not enough memory", "out of memory")
_OF_ONEDNN = "could not create a primitive"
"""The whole message of oneDNN where there is no memory for a kernel, its code or its buffers.

With more words behind it, a kernel does not exist.
"""


def out_of_memory(error: RuntimeError) -> bool:
    """Return whether memory ran out; on the CPU only the message shows it."""
    if isinstance(error, torch.OutOfMemoryError) or str(error) == _OF_ONEDNN:
        return True
    return any(words in str(error) for words in _WORDS)


def release(device: torch.device) -> None:
    """Release unused memory."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
