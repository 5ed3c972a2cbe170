"""Optimizers and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from engine.config.compute import Kernel
from engine.config.train import TrainConfig
from engine.errors import TrainingError
from engine.models.tables.number_head import NumberHead
from engine.torch_private import SGD, AdamW
from engine.training.optimization.fused_adamw import FusedAdamW, need_no_sorting

_EIGHT_BITS = ("adamw_8bit", "paged_adamw_8bit")
_SMALL, _BLOCK = 4096, 256
"""bitsandbytes keeps smaller parameters in 32 bits; blocks of this many values share a scale."""


def build_optimizer(
    groups: list[dict[str, Any]],
    config: TrainConfig,
    device: torch.device,
    kernel: Kernel = "auto",
) -> torch.optim.Optimizer:
    """Build AdamW or SGD over groups of parameters, without weight decay for one-dimensional ones.

    Norm weights and biases have one dimension. ``lr_scale`` of a group is kept in it. Raises
    :class:`TrainingError`.
    """
    parts = [part for group in groups for part in _by_decay(group, config)]
    if config.optimizer in _EIGHT_BITS:
        if kernel != "auto":
            raise TrainingError(
                f"compute.optimizer_kernel: {config.optimizer} has its own kernels.",
                "Choose auto, or train.optimizer=adamw.",
            )
        return _eight_bits(parts, config, device)
    common: dict[str, Any] = {"lr": config.peak_rate, **_kernel(kernel, device)}
    if config.optimizer == "sgd":
        return SGD(parts, momentum=config.momentum, nesterov=config.momentum > 0, **common)
    betas = (config.adam_beta1, config.adam_beta2)
    parameters = [p for part in parts for p in part["params"]]
    if device.type == "cpu" and common["fused"] and need_no_sorting(parameters):
        return FusedAdamW(parts, config.peak_rate, betas)
    return AdamW(parts, betas=betas, **common)


def _kernel(wanted: Kernel, device: torch.device) -> dict[str, bool]:
    """Return torch's arguments for the kernel.

    Fused kernels are used where they exist: on one CPU thread they halved the time of a small
    MLP's update.
    """
    if wanted == "auto":
        return {"fused": device.type in ("cpu", "cuda")}
    return {"fused": wanted == "fused", "foreach": wanted == "foreach"}


def _eight_bits(
    parts: list[dict[str, Any]], config: TrainConfig, device: torch.device
) -> torch.optim.Optimizer:
    """Build AdamW with its state in blocks of eight bits (Dettmers et al. 2022)."""
    from engine.adapters.nf4 import bitsandbytes

    library = bitsandbytes(f"train.optimizer {config.optimizer}")
    paged = config.optimizer == "paged_adamw_8bit"
    if paged and device.type != "cuda":
        raise TrainingError(
            f"train.optimizer: pages of paged_adamw_8bit need CUDA, and this runs on {device}.",
            "Choose adamw_8bit.",
        )
    betas = (config.adam_beta1, config.adam_beta2)
    made: torch.optim.Optimizer = library.optim.AdamW(
        parts, lr=config.peak_rate, betas=betas, optim_bits=8, is_paged=paged
    )
    return made


def state_bytes(parameter: Tensor, config: TrainConfig) -> int:
    """Return the bytes of the optimizer's state for a parameter in float32, and of its average."""
    average = parameter.nbytes if config.ema_decay else 0
    if config.optimizer == "sgd":
        return average + (parameter.nbytes if config.momentum > 0 else 0)
    if config.optimizer not in _EIGHT_BITS or parameter.numel() < _SMALL:
        return average + 2 * parameter.nbytes
    return average + 2 * (parameter.numel() + 4 * -(-parameter.numel() // _BLOCK))


def trainable_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Return all trainable parameters of a network in one group, and one for each output scale.

    The head of a network has another scale where its outputs are in the units of the data.
    """
    units = {
        id(parameter): layer.unit
        for layer in network.modules()
        if isinstance(layer, NumberHead)
        for parameter in layer.parameters()
    }
    groups: dict[float, dict[str, Any]] = {1.0: {"params": [], "lr_scale": 1.0}}
    for parameter in network.parameters():
        if parameter.requires_grad:
            unit = units.get(id(parameter), 1.0)
            group = groups.setdefault(unit, {"params": [], "lr_scale": 1.0, "unit": unit})
            group["params"].append(parameter)
    return list(groups.values())


def _by_decay(group: dict[str, Any], config: TrainConfig) -> list[dict[str, Any]]:
    parameters = list(group["params"])
    decayed = [p for p in parameters if p.ndim > 1]
    plain = [p for p in parameters if p.ndim <= 1]
    unit = group.get("unit", 1.0)
    scale = group.get("lr_scale", 1.0) * unit
    parts = [
        {"params": decayed, "weight_decay": config.weight_decay / unit, "lr_scale": scale},
        {"params": plain, "weight_decay": 0.0, "lr_scale": scale},
    ]
    return [part for part in parts if part["params"]]


def schedule(config: TrainConfig, steps: int) -> Callable[[float], float]:
    """Return the learning-rate factor for update ``0 … steps-1``: warm-up, then decay."""
    warmup = math.ceil(config.warmup_ratio * steps)
    falling = max(1, steps - warmup)

    def factor(step: float) -> float:
        if step < warmup:
            return min(1.0, (step + 1) / warmup)  # steps of a bent schedule have fractions
        done = min(1.0, (step - warmup) / falling)
        if config.lr_scheduler_type == "linear":
            return 1.0 - done
        if config.lr_scheduler_type == "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * done))
        return 1.0

    return factor
