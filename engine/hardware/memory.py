"""Out-of-memory errors and how memory is released."""

from __future__ import annotations

import gc

import torch

_WORDS = ("can't allocate memory", "not enough memory", "out of memory")


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch means that memory ran out; on the CPU only its words tell."""
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in _WORDS)


def release(device: torch.device) -> None:
    """Give back what nobody needs any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
