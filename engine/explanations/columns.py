"""Occlusion: the change of an output when a column of a row takes its usual value.

The usual value is the mean of a number and the most frequent category. Gradients would not do:
categories have none, and a network of steps has slopes that say nothing of the next step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from engine.data.tables.schema import Features
from engine.metrics.tables.importance import Places

Inputs = dict[str, Tensor]


def usual_inputs(features: Features) -> Inputs:
    """Return a row of one whose columns have their usual values: not missing, the mean, the most
    frequent category."""
    numbers = [-f.mean / f.std if f.part == "missing" else 0.0 for f in features.numeric]
    codes = [feature.usual for feature in features.categorical]
    return {
        "numeric": torch.tensor([numbers], dtype=torch.float32),
        "categorical": torch.tensor([codes], dtype=torch.int64).reshape(1, len(codes)),
    }


def occlusion(
    inputs: Inputs,
    usual: Inputs,
    columns: Mapping[str, Places],
    output: Callable[[Inputs], Tensor],
) -> dict[str, float]:
    """Return by column what the only row's output owes to the column's value.

    ``output`` returns a number for each of some rows; a change above 0 raises it.
    """
    rows = {name: tensor.repeat(len(columns) + 1, 1) for name, tensor in inputs.items()}
    for row, places in enumerate(columns.values(), 1):
        for name, positions in places.items():
            rows[name][row, list(positions)] = usual[name][0, list(positions)].to(rows[name])
    with torch.no_grad():
        values = output(rows).double()
    return dict(zip(columns, (values[0] - values[1:]).tolist(), strict=True))
