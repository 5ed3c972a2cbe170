"""Evaluators, which turn batches into metrics, and their result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.metrics.uncertainty.intervals import Interval
from engine.metrics.uncertainty.paired import PairedRows, ScoredRows
from engine.metrics.uncertainty.window_draws import WindowPlaces
from engine.reports.views import View

if TYPE_CHECKING:  # a preview of data loads no torch
    from torch import nn

    from engine.batches.source import Batch


@dataclass(frozen=True)
class Evaluation:
    """Metrics by name, and views of the results."""

    metrics: dict[str, float]
    views: Sequence[View] = ()
    errors: NDArray[np.float64] | None = None
    """Errors of single rows or windows, for a comparison in pairs."""
    block: int = 1
    """Errors next to each other that depend on one another."""
    places: WindowPlaces | None = None
    """Series and times of windows of several series, whose errors depend on one another."""
    fitted: Any = None
    """State that was fitted on these rows, such as the width of bands."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Intervals of 95 % of metrics, beside views."""
    rows: PairedRows | ScoredRows[Any] | None = None
    """Losses of single rows, to be held against those of a baseline."""


class Evaluator(ABC):
    """Collects the network's outputs on the device; computes metrics at the end."""

    shows_first_batch: ClassVar[bool] = False
    """Whether views come from the first batch alone, and metrics are all that the others give."""

    @abstractmethod
    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch, without waiting for the device."""

    @abstractmethod
    def compute(self, views: bool = False) -> Evaluation:
        """The metrics over all batches; ``views`` asks for tables and pictures too."""
