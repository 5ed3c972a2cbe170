"""The head of a network that gives one number, set up for the numbers of the data."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn


def begin_at(network: Any, mean: float, std: float) -> None:
    """Let a new head begin with outputs around ``mean`` that differ on the scale of ``std``.

    So that the network's outputs are in the units of the data, and learn as standardised ones do.
    A head that was trained before stays as it is.
    """
    head = _head(network)
    if head is None or head.weight.is_meta:
        return
    with torch.no_grad():
        head.weight.mul_(std)
        if head.bias is not None:
            head.bias.fill_(mean)


def log_odds(share: float) -> float:
    """Return the logit of a share that may be 0 or 1."""
    inside = min(max(share, 1e-3), 1 - 1e-3)
    return math.log(inside / (1 - inside))


def _head(network: Any) -> nn.Linear | None:
    """Return the last layer with one output, if it is new."""
    layers = [
        (name, layer)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear) and layer.out_features == 1
    ]
    if not layers:
        return None
    name, head = layers[-1]
    new = getattr(network, "new_layers", None)  # none is noted where all are new
    return head if new is None or name in new else None
