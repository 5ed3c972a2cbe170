"""When the memory is full: how to tell, and batches in pieces that fit."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from engine.errors import TrainingError
from engine.training.optimizer import state_bytes
from engine.training_config import TrainConfig

_WORDS = ("can't allocate memory", "not enough memory", "out of memory")


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch means that memory ran out; on the CPU only its words tell."""
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in _WORDS)


def release(device: torch.device) -> None:
    """Give back what nobody needs any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def in_pieces(plan: Sequence[Tensor], pieces: int, least: int = 1) -> list[Tensor]:
    """Each batch of row numbers cut into ``pieces``, or fewer so that each has ``least`` rows."""
    return [
        piece
        for rows in plan
        for piece in torch.tensor_split(rows, max(1, min(pieces, len(rows) // least)))
    ]


def least_rows(network: nn.Module) -> int:
    """Rows that the network needs at once to be trained: a batch norm cannot train on one."""
    return 2 if any(isinstance(part, _BatchNorm) for part in network.modules()) else 1


def nothing_fits(device: torch.device, network: nn.Module, train: TrainConfig) -> TrainingError:
    """What to say when not even one sample fits."""
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    parts = {
        "weights": sum(part.nbytes for part in (*network.parameters(), *network.buffers())),
        "gradients": sum(weight.nbytes for weight in trained),
        "optimizer": sum(state_bytes(weight, train) for weight in trained),
    }
    told = ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in parts.items())
    return TrainingError(
        f"Out of memory: not even one sample at a time fits on {device}. Before any sample there "
        f"are {told}.",
        "Choose a smaller model, shorter texts or smaller images, adapter.method=lora, "
        "model.gradient_checkpointing=true or compute.precision=bfloat16.",
    )


def too_large(device: torch.device) -> TrainingError:
    """What to say when a sharded network has no room for a batch."""
    return TrainingError(
        f"Out of memory: this process's share of a batch does not fit on {device}.",
        "Choose a smaller train.batch_size with more train.gradient_accumulation_steps, more "
        "train.devices, shorter texts or smaller images, or gradient checkpointing.",
    )
