"""The attention implementation of transformers' layers."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from engine.config.compute import Attention
from engine.errors import TrainingError
from engine.hardware.device import Compute
from engine.text.transformers_private import attention_name

_FLASH = "flash_attention_2"


def choose_attention(network: nn.Module, wanted: Attention, compute: Compute) -> None:
    """Let a network compute attention as ``wanted``; ``auto`` leaves it as transformers chose,
    unless that loses the network's soft-capping.

    Raises :class:`TrainingError` for what the network, the device or the installation lacks.
    """
    model = transformer_in(network)
    if wanted == "auto":
        if model is not None and _loses_soft_capping(model, attention_of(model)):
            _set(model, "eager")
        return
    if model is None:
        raise TrainingError(
            "compute.attention: this network is none of transformers, and has one way only.",
            "Choose auto.",
        )
    if wanted == _FLASH:
        # Checked before transformers is called, which would search the hub for code.
        _check_flash(compute)
    _set(model, wanted)


def transformer_in(network: nn.Module) -> Any:
    """The model of transformers that a network is or holds; ``None`` without one."""
    return next((m for m in network.modules() if hasattr(m, "set_attn_implementation")), None)


def attention_of(model: Any) -> str:
    """The implementation that a model of transformers uses."""
    return attention_name(model.config)


def attention_by_part(model: Any) -> dict[str, str]:
    """The implementations of a model and of its parts that have a configuration of their own.

    In the form that ``set_attn_implementation`` takes; a backbone may know fewer than the whole.
    """
    parts = {name: getattr(model.config, name, None) for name in model.config.sub_configs}
    own = {name: attention_name(part) for name, part in parts.items() if part is not None}
    return {"": attention_of(model)} | own


def _check_flash(compute: Compute) -> None:
    if compute.device.type != "cuda":
        raise TrainingError(
            f"compute.attention: {_FLASH} needs CUDA, and this runs on {compute.device}.",
            "Choose auto or sdpa.",
        )
    if compute.dtype == torch.float32:
        raise TrainingError(
            f"compute.attention: {_FLASH} does not compute in float32.",
            "Choose compute.precision=bfloat16, or sdpa.",
        )
    if find_spec("flash_attn") is None:
        raise TrainingError(
            f"compute.attention: {_FLASH} needs the package flash-attn.",
            "Install it (pip install flash-attn), or choose sdpa.",
        )


def _loses_soft_capping(model: Any, wanted: str) -> bool:
    """Return whether an implementation computes scores without the soft-capping of the network.

    Up to transformers 5.20, networks as Gemma 2 take sdpa by themselves, which has none.
    """
    capped = getattr(model.config.get_text_config(), "attn_logit_softcapping", None)
    return wanted == "sdpa" and capped is not None


def _set(model: Any, wanted: Attention) -> None:
    if _loses_soft_capping(model, wanted):
        raise _refused(model, wanted)
    try:
        model.set_attn_implementation(wanted)
    except (ValueError, ImportError) as error:
        raise _refused(model, wanted) from error
    if attention_of(model) != wanted:
        raise _refused(model, wanted)


def _refused(model: Any, wanted: Attention) -> TrainingError:
    kind = model.config.model_type
    return TrainingError(
        f"compute.attention: networks of the kind {kind} do not compute attention by {wanted}.",
        "Choose auto or eager.",
    )
