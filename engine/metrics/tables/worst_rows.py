"""The rows of a table that a network was the most wrong about, found among any number of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.batches.source import Batch
from engine.reports.views import Table

_PARTS = 64
"""Batches that are kept before all of their rows but the worst are let go."""


@dataclass(frozen=True, slots=True)
class WrongRows:
    """The worst mistakes of a network, with what finds their rows again."""

    table: Table
    numbers: Sequence[int]
    """The places of the rows in their split."""
    total: int
    """Number of mistakes, of which the table has the worst."""
    predicted: Sequence[str] = ()
    """The predicted class of each row; empty where numbers are predicted."""


class WorstRows:
    """Up to ``count`` rows, the worst first."""

    def __init__(self, count: int, wrongness: Callable[[Tensor, Tensor], Tensor]) -> None:
        """``wrongness`` returns the error of each row, from ``[rows, …]`` outputs and targets.

        It is below zero where there is nothing wrong.
        """
        self._count = count
        self._wrongness = wrongness
        self._parts: list[tuple[Tensor, Batch, Tensor]] = []
        self._seen = 0
        self._wrong = torch.zeros((), dtype=torch.int64)

    def add(self, output: Tensor, batch: Batch) -> None:
        """Take in a batch, whose inputs are a dictionary, and the outputs for its rows.

        Batches come in the order of their rows.
        """
        wrong = self._wrongness(output, batch.targets) >= 0
        self._wrong = self._wrong.to(wrong.device) + wrong.sum()  # without waiting for the device
        numbers = torch.arange(self._seen, self._seen + len(output))
        self._seen += len(output)
        self._parts.append((output, batch, numbers))
        if len(self._parts) > _PARTS:
            self._parts = [self._sorted()]

    @property
    def wrong(self) -> int:
        """Number of rows so far in which something is wrong."""
        return int(self._wrong)

    def worst(self) -> tuple[Tensor, Batch, list[int]]:
        """Return the outputs of the worst rows, the rows, and their numbers from 0 on."""
        output, batch, numbers = self._sorted()
        return output, batch, numbers.tolist()

    def _sorted(self) -> tuple[Tensor, Batch, Tensor]:
        batches = [batch for _, batch, _ in self._parts]
        output = torch.cat([output for output, _, _ in self._parts])
        targets = torch.cat([batch.targets for batch in batches])
        numbers = torch.cat([numbers for _, _, numbers in self._parts])
        wrongness = self._wrongness(output, targets)
        order = wrongness.argsort(descending=True, stable=True)[: self._count]
        order = order[wrongness[order] >= 0]
        inputs = {
            name: torch.cat([batch.inputs[name] for batch in batches])[order]
            for name in batches[0].inputs
        }
        return output[order], Batch(inputs, targets[order]), numbers[order.cpu()]
