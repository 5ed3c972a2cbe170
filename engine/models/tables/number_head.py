"""The head of a network that gives one number, set up for the numbers of the data."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override


class NumberHead(nn.Linear):
    """A layer whose number is computed in float32, also in mixed precision.

    In bfloat16, numbers around 2000 are 8 to 16 apart.
    """

    unit: float = 1.0
    """The scale on which its outputs differ; its weights learn at rates of this scale.

    Their gradients are those of weights for standardised outputs: in the units of the data they
    would fill the norm that clips all gradients, or vanish beside the epsilon of Adam.
    """

    @override
    def forward(self, input: Tensor) -> Tensor:
        kind = input.device.type
        if not torch.is_autocast_enabled(kind):  # a context of its own would be exported too
            return self._number(input)
        with torch.autocast(kind, enabled=False):
            return self._number(input)

    def _number(self, features: Tensor) -> Tensor:
        bias = None if self.bias is None else self._learning(self.bias)
        return functional.linear(features.float(), self._learning(self.weight), bias)

    def _learning(self, weight: Tensor) -> Tensor:
        """Return a weight in float32 whose gradient is multiplied by the unit."""
        whole = weight.float()
        if not self.training or self.unit == 1.0:  # the difference would be exported too
            return whole
        fixed = whole.detach()
        return fixed + self.unit * (whole - fixed)  # which is 0


def prepare_head(network: Any, unit: float) -> None:
    """Let the last layer with one output be exact, and learn on the scale of ``unit``."""
    layers = _heads(network)
    if layers and type(layers[-1][1]) is nn.Linear:
        head: Any = layers[-1][1]
        head.__class__ = NumberHead
        head.unit = unit


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
    layers = _heads(network)
    if not layers:
        return None
    name, head = layers[-1]
    new = getattr(network, "new_layers", None)  # none is noted where all are new
    return head if new is None or name in new else None


def _heads(network: Any) -> list[tuple[str, nn.Linear]]:
    return [
        (name, layer)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear) and layer.out_features == 1
    ]
