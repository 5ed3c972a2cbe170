"""The vector of a text from the vectors of its tokens, as sentence-transformers computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Mode = Literal["mean", "cls", "last"]
_LEAST = 1e-9


def embedded(network: nn.Module, inputs: Mapping[str, Tensor], mode: Mode, unit: bool) -> Tensor:
    """Return the vectors of texts ``[rows, size]`` in float32; of length 1 if ``unit``."""
    output: Any = network(**inputs)
    hidden: Tensor = output.last_hidden_state.float()
    pooled = _POOLED[mode](hidden, inputs["attention_mask"])
    return functional.normalize(pooled, dim=1) if unit else pooled


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(hidden)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=_LEAST)


def _first(hidden: Tensor, mask: Tensor) -> Tensor:
    del mask  # padding is on the right
    return hidden[:, 0]


def _last(hidden: Tensor, mask: Tensor) -> Tensor:
    places = mask.sum(1).clamp(min=1) - 1
    return hidden[torch.arange(len(hidden), device=hidden.device), places]


_POOLED: dict[Mode, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "cls": _first,
    "last": _last,
}
