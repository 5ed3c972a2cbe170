"""The columns that a prediction for a row of a table rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.data.tables.features import decode_row
from engine.data.tables.schema import Features
from engine.explanations.columns import Inputs, occlusion, usual_inputs
from engine.explanations.targets import likeliest, number_of
from engine.files.sanitize import plain
from engine.reports.explanation import Explanation
from engine.reports.views import Cell, Table
from engine.tasks.column_places import column_places


@dataclass(frozen=True)
class ExplainedOutputs:
    """Outputs that the columns of a row change."""

    names: Sequence[str]
    quantity: str
    """Their kind, as it is written before a name: ``p`` for probabilities."""
    of: Callable[[nn.Module, Batch], Tensor]
    """Returns them for a batch, ``[rows, outputs]``: probabilities, or numbers in units."""


def explain_row(
    network: nn.Module,
    inputs: Inputs,
    explained: ExplainedOutputs,
    features: Features,
    target: str,
) -> Explanation:
    """Return the columns of a row; see :meth:`engine.tasks.task.Task.explain`."""
    names, quantity = explained.names, explained.quantity

    def outputs(rows: Inputs) -> Tensor:
        return explained.of(network, Batch(rows, None))

    with torch.no_grad():
        scores = outputs(inputs)[0]
    number = number_of(target, names, scores)
    usual = usual_inputs(features)
    changes = occlusion(
        inputs, usual, column_places(features), lambda rows: outputs(rows)[:, number]
    )
    own, other = (_values(features, row) for row in (inputs, usual))
    name = plain(names[number], 40)
    head = f"{quantity}({name})" if len(names) > 1 else name
    rows: list[list[Cell]] = [
        [column, own.get(column, ""), other.get(column, ""), round(change, 6)]
        for column, change in sorted(changes.items(), key=lambda item: -abs(item[1]))
    ]
    table = Table(
        f"{head} is {float(scores[number]):.4g}",
        ["column", "value", "usual value", f"change of {head}"],
        rows,
    )
    method = "occlusion: the change from the usual value of each column to its own"
    return Explanation(names[number], likeliest(scores, names), method, [table])


def _values(features: Features, inputs: Inputs) -> dict[str, str]:
    numbers, codes = inputs["numeric"][0].tolist(), inputs["categorical"][0].tolist()
    return decode_row(features, numbers, codes)
