"""A network as a program without this package calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from engine.batches.source import Batch


def _inputs(batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (batch.inputs,), {}


@dataclass(frozen=True)
class Deployment:
    """The computation, its arguments, and the comparison of two of its results."""

    network: Callable[[nn.Module], nn.Module] = lambda network: network
    """Returns the network with what predictions do around it."""
    arguments: Callable[[Batch], tuple[tuple[Any, ...], dict[str, Any]]] = _inputs
    """Returns the positional and named arguments that call the network with a batch."""
    comparable: Callable[[list[Tensor]], list[Tensor]] = lambda outputs: outputs
    """Returns the outputs in an order that rounding does not change."""
