"""Runs that can be sharded, and the optimizer kernel for shards. Does not load torch's FSDP."""

from __future__ import annotations

import torch

from engine.config.compute import Kernel
from engine.config.run_config import RunConfig
from engine.config.train import TrainConfig
from engine.errors import TrainingError
from engine.hardware.device import Compute


def kernel(train: TrainConfig) -> Kernel:
    """Return the fastest optimizer kernel of torch that works on shards."""
    return "foreach" if train.optimizer == "sgd" else "auto"


def check(config: RunConfig, compute: Compute) -> None:
    """Check that a network can be sharded for this run; raises :class:`TrainingError`."""
    obstacle = obstacle_of(config, compute)
    if obstacle:
        raise TrainingError(
            f"{obstacle} sharded by train.strategy {config.train.strategy}.",
            "Choose ddp, or change the field.",
        )


def obstacle_of(config: RunConfig, compute: Compute) -> str:
    """Return the field that keeps the network from being sharded, as the beginning of a sentence.

    Empty where there is none.
    """
    train = config.train
    refused = {
        "train.optimizer: blocks of eight bits cannot be": train.optimizer not in ("adamw", "sgd"),
        "compute.precision: gradients in float16 cannot be": compute.dtype == torch.float16,
        "train.auto_batch_size: a batch cannot be measured for networks":
            train.auto_batch_size,
        "compute.optimizer_kernel: weights that SGD's fused kernel updates cannot be":
            train.optimizer == "sgd" and config.compute.optimizer_kernel == "fused",
        "task.mini_batch_size: networks with cached gradients cannot be":
            getattr(config.task, "mini_batch_size", 0) > 0,
        "task.kind: networks of preference tuning, which are measured at the start, cannot be":
            config.task.kind == "preference",
        "compute.compile: compiled networks cannot be": config.compute.compile,
        "train.ema_decay: averaged weights cannot be": train.ema_decay > 0,
        "adapter.method: networks with an adapter cannot be":
            config.adapter.active and train.strategy == "tensor",
    }  # fmt: skip
    return next((what for what, found in refused.items() if found), "")
