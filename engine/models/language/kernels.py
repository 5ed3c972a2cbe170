"""Fused kernels of Liger for the layers of a transformer, on CUDA."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from torch import nn
from transformers.integrations.liger import apply_liger_kernel

from engine.hardware.device import Compute
from engine.models.language.attention import transformer_in

_LEFT_OUT = {"rope": False, "cross_entropy": False, "fused_linear_cross_entropy": False}
"""Parts that would replace functions for all models, or the loss, which is computed here."""


def use_kernels(network: nn.Module, compute: Compute) -> str:
    """Use the kernels for what the network has of it; returns why none are used, else nothing."""
    model = transformer_in(network)
    if compute.device.type != "cuda":
        return f"they need CUDA, and this runs on {compute.device}"
    if model is None:
        return "the network is none of transformers"
    if find_spec("liger_kernel") is None:
        return "they need the package liger-kernel (pip install 'dltui[liger]')"
    before = [type(part).forward for part in model.modules()]
    _apply(model)
    after = [getattr(part.forward, "__func__", part.forward) for part in model.modules()]
    if before == after:
        return f"there are none for networks of the kind {model.config.model_type}"
    return ""


def _apply(model: nn.Module) -> None:
    """Patch one model; the classes of its module stay, so that others can be loaded on a CPU."""
    module = sys.modules[type(model).__module__]
    kept = dict(vars(module))
    try:
        apply_liger_kernel(model, _LEFT_OUT)  # type: ignore[no-untyped-call]
    finally:
        vars(module).update(kept)
