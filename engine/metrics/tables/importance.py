"""Permutation importance of a table's columns: the loss of score when a column is shuffled.

After Breiman, "Random Forests" (2001), over a bounded number of rows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.batches.source import Batch
from engine.hardware.memory import out_of_memory
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.reports.views import Table

Inputs = dict[str, Tensor]
Places = Mapping[str, Sequence[int]]
"""By input tensor: the positions in its second dimension that belong to one column."""
Score = Callable[[Tensor, Tensor], dict[str, Tensor]]
"""Metrics by name of the network's output against targets; in each, the change is what counts."""

_ROWS_OF_A_BATCH = 64
_MAX_ROWS = 2000
_MOST_KEPT = 4 * _MAX_ROWS
"""Rows that are kept at most until the number of their batches is known."""
_MAX_COLUMNS = 200
_MOST_SECONDS = 20.0
"""After these no other column is begun: each takes some passes, which are long in wide tables."""
_REPEATS = 3
_SCREENED = 64
"""Rows on which the columns are ordered by how much they change the outputs."""


class WithImportance(Evaluator):
    """Another evaluator, with a table of the columns' importance beside its views."""

    def __init__(self, inner: Evaluator, columns: Mapping[str, Places], score: Score) -> None:
        self._inner = inner
        self._columns = columns
        self._score = score
        self._network: nn.Module | None = None
        self._batches: list[Batch] = []
        self._seen, self._stride = 0, 1

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch, and remember some rows of some batches."""
        self._inner.update(network, batch)
        self._network = network
        if self._seen % self._stride == 0:
            self._batches.append(_beginning(batch))
            if sum(len(kept.targets) for kept in self._batches) > _MOST_KEPT:
                self._batches = self._batches[::2]
                self._stride *= 2
        self._seen += 1

    def compute(self, views: bool = False) -> Evaluation:
        """The other evaluator's result; importance costs a few passes over some rows."""
        evaluation = self._inner.compute(views)
        if not views or self._network is None:
            return evaluation
        inputs, targets = _some_rows(self._batches)
        table = permutation_importance(self._network, inputs, targets, self._columns, self._score)
        return replace(evaluation, views=[*evaluation.views, table])


def permutation_importance(
    network: nn.Module,
    inputs: Inputs,
    targets: Tensor,
    columns: Mapping[str, Places],
    score: Score,
) -> Table:
    """A row a column with the mean change of each score, the largest change first.

    Columns that change the outputs most come first; the title says so where not all were shuffled.
    """
    begin = time.monotonic()
    end = begin + _MOST_SECONDS
    generator = torch.Generator().manual_seed(0)
    rows = len(targets)
    orders = [torch.randperm(rows, generator=generator) for _ in range(_REPEATS)]
    with torch.inference_mode():
        whole = score(_output(network, inputs), targets)
        changes: dict[str, list[float]] = {}
        ordered = _most_sensitive(network, inputs, columns, begin + _MOST_SECONDS / 2)
        for name, places in islice(ordered.items(), _MAX_COLUMNS):
            if changes and time.monotonic() > end:
                break
            scores = [
                score(_output(network, _shuffled(inputs, places, order)), targets)
                for order in orders
            ]
            changes[name] = [
                float(torch.stack([s[metric] for s in scores]).mean() - whole[metric])
                for metric in whole
            ]
    ranked = sorted(changes.items(), key=lambda item: -abs(item[1][0]))
    some = f", the {len(changes):,} of {len(columns):,} that change outputs most"
    some *= len(changes) < len(columns)
    return Table(
        f"Importance of columns: change when a column is shuffled{some}",
        ["column", *whole],
        [[name, *(round(value, 6) for value in change)] for name, change in ranked],
    )


def _most_sensitive(
    network: nn.Module, inputs: Inputs, columns: Mapping[str, Places], end: float
) -> Mapping[str, Places]:
    """Return the columns ordered by how much outputs change on a few rows when one is shuffled.

    Those that were not reached at the time ``end`` keep their order behind the others.
    """
    rows = len(next(iter(inputs.values())))
    step = -(-rows // _SCREENED)
    some = {name: tensor[::step] for name, tensor in inputs.items()}
    before = _output(network, some)
    # Each row has the values of its neighbour: a random order would leave some where they are.
    order = torch.arange(len(before)).roll(1)
    changes: dict[str, float] = {}
    for name, places in columns.items():
        if time.monotonic() > end:
            break
        after = _output(network, _shuffled(some, places, order))
        changes[name] = float((after - before).abs().mean())
    names = sorted(columns, key=lambda name: -changes.get(name, -1.0))
    return {name: columns[name] for name in names}


def _output(network: nn.Module, inputs: Inputs) -> Tensor:
    """Return the network's output for all rows, in halves where memory does not suffice."""
    try:
        output: Tensor = network(inputs)
    except RuntimeError as error:
        if len(next(iter(inputs.values()))) == 1 or not out_of_memory(error):
            raise
    else:
        return output
    halves = zip(*(tensor.tensor_split(2) for tensor in inputs.values()), strict=True)
    return torch.cat([_output(network, dict(zip(inputs, half, strict=True))) for half in halves])


def class_scores(logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Accuracy and cross-entropy."""
    return {
        "accuracy": (logits.argmax(1) == targets).double().mean(),
        "loss": functional.cross_entropy(logits, targets).double(),
    }


def number_scores(std: float) -> Score:
    """Root of the mean squared error in units of which ``std`` are a standard deviation, and R².

    Targets that are all alike have no R².
    """

    def score(output: Tensor, targets: Tensor) -> dict[str, Tensor]:
        error = (output.squeeze(1) - targets).double()
        spread = (targets - targets.mean()).double().square().mean()
        mse = error.square().mean()
        alike = bool((targets == targets[0]).all())
        r2 = mse.new_tensor(math.nan) if alike else 1 - mse / spread
        return {"rmse": mse.sqrt() * std, "r2": r2}

    return score


def _beginning(batch: Batch) -> Batch:
    """Copies of the first rows: parts of tensors would keep the whole batch in memory."""
    inputs = {name: tensor[:_ROWS_OF_A_BATCH].clone() for name, tensor in batch.inputs.items()}
    return Batch(inputs, batch.targets[:_ROWS_OF_A_BATCH].clone())


def _some_rows(batches: Sequence[Batch]) -> tuple[Inputs, Tensor]:
    targets = torch.cat([batch.targets for batch in batches])
    step = -(-len(targets) // _MAX_ROWS)
    inputs = {
        name: torch.cat([batch.inputs[name] for batch in batches])[::step]
        for name in batches[0].inputs
    }
    return inputs, targets[::step]


def _shuffled(inputs: Inputs, places: Places, order: Tensor) -> Inputs:
    """Copies in which the positions of one column have changed rows, all together."""
    changed = dict(inputs)
    for name, positions in places.items():
        index = torch.tensor(list(positions), device=inputs[name].device)
        changed[name] = inputs[name].clone()
        changed[name][:, index] = inputs[name][order.to(inputs[name].device)][:, index]
    return changed
