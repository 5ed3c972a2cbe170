"""When the memory is full: how to tell, and batches in pieces that fit."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import torch
from torch import Tensor

from engine.errors import TrainingError

_WORDS = ("can't allocate memory", "not enough memory", "out of memory")


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch means that memory ran out; on the CPU only its words tell."""
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in _WORDS)


def release(device: torch.device) -> None:
    """Give back what nobody needs any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def in_pieces(plan: Sequence[Tensor], pieces: int) -> list[Tensor]:
    """Each batch of row numbers cut into ``pieces``, or into single rows if it has fewer."""
    return [
        piece
        for rows in plan
        for piece in torch.tensor_split(rows, min(pieces, len(rows)))
    ]  # fmt: skip


def nothing_fits(device: torch.device) -> TrainingError:
    """What to say when not even one sample fits."""
    return TrainingError(
        f"Out of memory: not even one sample at a time fits on {device}.",
        "Choose a smaller model, shorter texts or smaller images, adapter.method=lora, "
        "compute.gradient_checkpointing=true or compute.precision=bfloat16; the estimate in the "
        "form shows which part takes the memory.",
    )
