"""Corrections fitted to the outputs of a finished network, such as bands or a temperature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import pyarrow as pa
from torch import nn

from engine.data.fitted import Fitted
from engine.metrics.evaluator import Evaluator
from engine.runs.events import Report

F = TypeVar("F", bound=Fitted)


@dataclass(frozen=True)
class Calibration(Generic[F]):
    """Fits once on the validation split, and where it can again on rows to predict from."""

    evaluator: Callable[[], Evaluator]
    """Creates the evaluator of the validation split, whose evaluation has the fitted state."""
    recent: Callable[[nn.Module, pa.Table, Report], F] | None = None
    """Returns the fitted state as rows to predict from change it, such as by recent errors."""
