"""Out-of-memory errors: detection, and micro-batches that fit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.config.run_config import RunConfig
from engine.errors import TrainingFailed
from engine.hardware.device import Compute
from engine.torch_private import BatchNorm
from engine.training.optimization.optimizer import state_bytes


def in_pieces(plan: Sequence[Tensor], pieces: int, least: int = 1) -> list[Tensor]:
    """Split each batch of row numbers into ``pieces``, or fewer so that each has ``least`` rows."""
    return [
        piece
        for rows in plan
        for piece in torch.tensor_split(rows, max(1, min(pieces, len(rows) // least)))
    ]


def least_rows(network: nn.Module) -> int:
    """Return the fewest rows that the network can be trained on: two with batch norm."""
    return 2 if any(isinstance(part, BatchNorm) for part in network.modules()) else 1


def nothing_fits(
    compute: Compute, network: nn.Module, config: RunConfig, update: int | None
) -> TrainingFailed:
    """Return the error for a run in which not even one sample fits.

    ``update`` is the estimated peak of one sample in bytes, beside weights and optimizer state;
    ``None`` where that is unknown.
    """
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    weights = sum(part.nbytes for part in (*network.parameters(), *network.buffers()))
    gradients = sum(weight.nbytes for weight in trained)
    optimizer = sum(state_bytes(weight, config.train) for weight in trained)
    parts = {"weights": weights, "gradients": gradients, "optimizer": optimizer}
    if update is None:
        estimate = "Before any sample there are"
    else:
        parts["the sample and what is computed of it"] = max(0, update - gradients)
        estimate = f"With one, training takes an estimated {_megabytes(sum(parts.values()))}:"
    sizes = ", ".join(f"{name} {_megabytes(size)}" for name, size in parts.items())
    *ways, last = _savings(compute, config)
    return TrainingFailed(
        f"Out of memory: not even one sample at a time fits on {compute.device}. {estimate} "
        f"{sizes}.",
        f"Choose {', '.join(ways)} or {last}.",
    )


_LENGTHS = ("max_length", "max_source_length", "max_target_length", "image_size", "window")
"""Fields of a task that set the size of a sample."""


def _savings(compute: Compute, config: RunConfig) -> list[str]:
    """Return the changes of a configuration that would save memory."""
    lengths = [name for name in _LENGTHS if name in type(config.task).model_fields]
    ways = ["a smaller model", *(f"a smaller task.{name}" for name in lengths)]
    if not lengths:
        ways.append("smaller samples, as with fewer columns")
    if not config.adapter.active:
        ways.append("adapter.method=lora")
    if getattr(config.model, "gradient_checkpointing", True) is False:
        ways.append("model.gradient_checkpointing=true")
    if compute.precision == "float32":
        ways.append("compute.precision=bfloat16")
    return ways


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def too_large(device: torch.device) -> TrainingFailed:
    """Return the error for a sharded network that runs out of memory."""
    return TrainingFailed(
        f"Out of memory: this process's share of a batch does not fit on {device}.",
        "Choose a smaller train.batch_size with more train.gradient_accumulation_steps, more "
        "train.devices, shorter texts or smaller images, or gradient checkpointing.",
    )


def rows_compared(device: torch.device, rows: int) -> TrainingFailed:
    """Return the error for a batch whose rows are compared, so that it cannot be split."""
    return TrainingFailed(
        f"Out of memory: a batch of {rows:,} rows does not fit on {device}, and its loss compares "
        "each row with all others, so that it is not split.",
        f"Set task.mini_batch_size={max(1, rows // 8)} (cached gradients), or choose a smaller "
        "train.batch_size.",
    )
