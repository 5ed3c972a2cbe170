"""Reductions of a finished network, such as fewer members of an ensemble."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import nn

from engine.data.fitted import Fitted
from engine.metrics.evaluator import Evaluator

F = TypeVar("F", bound=Fitted)


@dataclass(frozen=True)
class Pruning(Generic[F]):
    """Is chosen on the validation split, before anything is measured of the finished network."""

    evaluator: Callable[[], Evaluator]
    """Creates the evaluator of the validation split, whose evaluation has the fitted state."""
    apply: Callable[[nn.Module, F], str]
    """Prunes the network in place as the fitted state says, and returns a sentence on it; empty
    where it stays whole."""
