"""Out-of-memory errors and how memory is released."""

from __future__ import annotations

import gc

import torch

_WORDS = ("can't allocate memory", "not enough memory", "out of memory")


def out_of_memory(error: RuntimeError) -> bool:
    """Return whether memory ran out; on the CPU only torch's message shows it."""
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in _WORDS)


def release(device: torch.device) -> None:
    """Release unused memory."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
