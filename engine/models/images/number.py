"""Networks for images whose only output is a number."""

from __future__ import annotations

from typing import Any

from torch import nn

from engine.errors import TrainingError
from engine.models.images.transfer import Transfer, find_head
from engine.models.tables.number_head import begin_at, prepare_head


def prepare_number(network: nn.Module, mean: float, std: float) -> None:
    """Let a network begin with numbers around ``mean``, that differ on the scale of ``std``.

    So its outputs are in the units of the data. Raises :class:`TrainingError` for a network that
    does not end with a linear layer.
    """
    inside: Any = network.network if isinstance(network, Transfer) else network
    head = find_head(inside)[1]
    if not isinstance(head, nn.Linear) or head.out_features != 1:
        raise TrainingError(
            "This network does not end with a linear layer, so it cannot give a number.",
            "Choose another network, such as resnet18.",
        )
    begin_at(inside, mean, std)
    prepare_head(inside, std)
