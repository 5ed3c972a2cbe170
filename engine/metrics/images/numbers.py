"""Metrics of numbers that are predicted for images, and the images with the largest errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.forecasts.number_bands import NumberBands
from engine.metrics.gathered import Gathered
from engine.metrics.tables.regression import (
    Floats,
    coverage_of,
    evaluate_numbers,
    number_intervals,
    predicted_and_true,
)
from engine.metrics.uncertainty.intervals import share_interval
from engine.metrics.uncertainty.paired import text_keys
from engine.reports.views import Cell, Table

_WORST = 50


@dataclass(frozen=True, slots=True)
class WrongImage:
    """An image with its number and the one that was predicted."""

    name: str
    row: int
    """Its number in the source."""
    true: float
    predicted: float

    @property
    def line(self) -> list[Cell]:
        """The image, both numbers and their difference."""
        numbers = (self.true, self.predicted, self.predicted - self.true)
        return [self.name, *(float(f"{number:.5g}") for number in numbers)]


COLUMNS = ["image", "true", "predicted", "difference"]
"""Titles of the columns of :attr:`WrongImage.line`."""


class ImageNumbers(Evaluator):
    """One number an image."""

    def __init__(
        self,
        scale: tuple[float, float],
        forward: Callable[[nn.Module, Batch], Tensor],
        loss: Callable[[Tensor, Tensor], Tensor],
        bands: NumberBands,
    ) -> None:
        """``scale`` is the mean and the deviation of the numbers.

        ``forward`` gives ``[batch, 1]`` in standard deviations, ``loss`` compares such.
        """
        self._mean, self._std = scale
        self._forward, self._loss, self._bands = forward, loss, bands
        self._outputs, self._targets = Gathered(), Gathered()
        self._names: list[str] = []
        self._rows: list[int] = []
        self.worst: list[WrongImage] = []
        """The images with the largest errors, once views were computed."""

    @property
    def total(self) -> int:
        """Number of images so far."""
        return len(self._names)

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch with the names of its images."""
        self._outputs.add(self._forward(network, batch).float())
        self._targets.add(batch.targets)
        self._names += batch.rows["name"].to_pylist()
        self._rows += batch.rows["row"].to_pylist()

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics of numbers, and the coverage of the bands."""
        outputs, targets = self._outputs.joined(), self._targets.joined()
        truth, guess = self._in_units(targets), self._in_units(self._bands.point(outputs))
        result = evaluate_numbers(guess, truth, float(self._loss(outputs, targets)))
        covered, shown = coverage_of(self._bands, outputs, targets, self._std)
        keyed = result.rows and replace(result.rows, keys=text_keys(self._names))
        result = replace(result, metrics=result.metrics | covered, rows=keyed)
        if not views:
            return result
        self.worst = self._worst(guess, truth)
        table = Table("Worst mistakes", COLUMNS, [one.line for one in self.worst])
        losses = torch.vmap(self._loss)(outputs, targets).double().numpy()
        held = {name: share_interval(share, len(truth)) for name, share in covered.items()}
        return replace(
            result,
            views=[*shown, table, predicted_and_true(guess, truth)],
            intervals=number_intervals(guess, truth, losses) | held,
        )

    def _in_units(self, values: Tensor) -> Floats:
        return values.cpu().double().numpy() * self._std + self._mean

    def _worst(self, guess: Floats, truth: Floats) -> list[WrongImage]:
        order = np.argsort(-np.abs(guess - truth), kind="stable")[:_WORST]
        return [
            WrongImage(self._names[i], self._rows[i], float(truth[i]), float(guess[i]))
            for i in order.tolist()
        ]
