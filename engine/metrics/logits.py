"""The logits of a transformer."""

from __future__ import annotations

import torch
from torch import nn


def logits_of(network: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the logits of the head."""
    logits: torch.Tensor = network(**inputs).logits
    return logits
