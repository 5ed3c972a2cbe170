"""The rows of a table that a network was the most wrong about, found among any number of rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.batches.source import Batch

_PARTS = 64
"""Batches that are kept before all of their rows but the worst are let go."""


class WorstRows:
    """Up to ``count`` rows, the worst first."""

    def __init__(self, count: int, wrongness: Callable[[Tensor, Tensor], Tensor]) -> None:
        """``wrongness`` returns the error of each row, from ``[rows, …]`` outputs and targets.

        It is below zero where there is nothing wrong.
        """
        self._count = count
        self._wrongness = wrongness
        self._parts: list[tuple[Tensor, Batch]] = []

    def add(self, output: Tensor, batch: Batch) -> None:
        """Take in a batch, whose inputs are a dictionary, and the outputs for its rows."""
        self._parts.append((output, batch))
        if len(self._parts) > _PARTS:
            self._parts = [self.worst()]

    def worst(self) -> tuple[Tensor, Batch]:
        """Return the outputs of the worst rows, and the rows."""
        batches = [batch for _, batch in self._parts]
        output = torch.cat([output for output, _ in self._parts])
        targets = torch.cat([batch.targets for batch in batches])
        wrongness = self._wrongness(output, targets)
        order = wrongness.argsort(descending=True, stable=True)[: self._count]
        order = order[wrongness[order] >= 0]
        inputs = {
            name: torch.cat([batch.inputs[name] for batch in batches])[order]
            for name in batches[0].inputs
        }
        return output[order], Batch(inputs, targets[order])
