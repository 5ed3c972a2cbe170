"""The logits of a transformer."""

from __future__ import annotations

import torch
from torch import nn


def logits_of(network: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """What the head says."""
    logits: torch.Tensor = network(**inputs).logits
    return logits
