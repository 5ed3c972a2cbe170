"""TabM: many multi-layer perceptrons in one, which share most of their weights.

After Gorishniy et al., "TabM: Advancing Tabular Deep Learning with Parameter-Efficient
Ensembling" (2025).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from engine.config.models.tabm import TabmConfig
from engine.models.shapes import TabularShape
from engine.models.tables.category_embedding import category_embedding
from engine.models.tables.piecewise import PiecewiseLinear

_WIDEST = 12
"""Largest embedding of a category."""


class TabM(nn.Module):
    """Numbers and categories as vectors, an ensemble of perceptrons over them, and their mean.

    Inputs: ``numeric`` float ``[batch, numeric]`` and ``categorical`` int64 ``[batch, columns]``.
    In training, the output ``[members · batch, outputs]`` has the rows of the first member first,
    for each is to learn on its own. In evaluation it is ``[batch, outputs]``: the mean of the
    values, or the logarithm of the mean of the probabilities.
    """

    def __init__(
        self,
        shape: TabularShape,
        members: int,
        width: int,
        layers: int,
        dropout: float = 0.0,
        embedding_size: int = 16,
    ) -> None:
        super().__init__()
        sizes = [min(_WIDEST, count) for count in shape.cardinalities]
        self.embeddings = nn.ModuleList(map(category_embedding, shape.cardinalities, sizes))
        edges = shape.edges or ((),) * shape.numeric
        self.numbers = PiecewiseLinear(edges, embedding_size) if shape.numeric else None
        chunks = [*[embedding_size] * shape.numeric, *sizes]
        widths = [sum(chunks), *[width] * layers]
        stack = [MemberLinear(members, *size) for size in pairwise(widths)]
        stack[0].diversify(chunks)
        self.layers = nn.ModuleList(stack)
        self.head = MemberHead(members, width, shape.outputs)
        self.dropout = dropout
        self.probabilities = shape.probabilities

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits, or values."""
        outputs = self.of_members(inputs)
        if self.training:
            return outputs.flatten(0, 1)
        return mean_of_members(outputs.float(), self.probabilities)

    def of_members(self, inputs: dict[str, Tensor]) -> Tensor:
        """The outputs of each member, ``[members, batch, outputs]``."""
        codes, numbers = inputs["categorical"], inputs["numeric"]
        parts = [] if self.numbers is None else [self.numbers(numbers)]
        parts += [table(codes[:, i]) for i, table in enumerate(self.embeddings)]
        hidden = torch.cat(parts, dim=1).expand(self.head.members, -1, -1)
        for layer in self.layers:
            hidden = self._dropped(torch.relu_(layer(hidden)))
        outputs: Tensor = self.head(hidden)
        return outputs

    def keep(self, members: Sequence[int]) -> None:
        """Remove all other members, for good. Raises ``ValueError`` for members that are not."""
        if not members or not set(members) <= set(range(self.head.members)):
            raise ValueError(f"an ensemble of {self.head.members} has no members {list(members)}")
        for part in (*self.layers, self.head):
            part.keep(members)

    def _dropped(self, hidden: Tensor) -> Tensor:
        """Drop the same units of a row in all members: random numbers cost more than products."""
        if not self.training or self.dropout == 0:
            return hidden
        kept = 1 - self.dropout
        noise = torch.rand(hidden.shape[1:], device=hidden.device) < kept
        return hidden * noise.to(hidden.dtype).div_(kept)


class MemberPart(nn.Module):
    """A part of each member; some of its parameters have a share for each, in their first axis."""

    own: ClassVar[tuple[str, ...]]
    """Names of these parameters."""
    members: int

    def keep(self, members: Sequence[int]) -> None:
        """Remove the shares of all other members."""
        for name in self.own:
            whole: nn.Parameter = getattr(self, name)
            shares = whole.detach().view(self.members, -1, *whole.shape[1:])[list(members)]
            setattr(self, name, nn.Parameter(shares.flatten(0, 1), whole.requires_grad))
        self.members = len(members)


class MemberLinear(MemberPart):
    """A linear layer of each member: one weight, scaled by the member at inputs and outputs.

    Takes and gives ``[members, batch, size]``.
    """

    own = ("input_scale", "output_scale", "bias")

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound))
        self.input_scale = nn.Parameter(torch.ones(members * inputs))
        self.output_scale = nn.Parameter(torch.ones(members * outputs))
        self.bias = nn.Parameter(torch.empty(members * outputs).uniform_(-bound, bound))
        self.members = members

    def forward(self, hidden: Tensor) -> Tensor:
        """All members' outputs, by one batched product."""
        return torch.baddbmm(self.bias.view(self.members, 1, -1), hidden, self.weights())

    def weights(self) -> Tensor:
        """The weights of each member, ``[members, inputs, outputs]``."""
        scale = self.input_scale.view(self.members, -1, 1)
        return self.weight * scale * self.output_scale.view(self.members, 1, -1)

    def diversify(self, chunks: Sequence[int]) -> None:
        """Give each member its own random scale of each column, whose inputs make a chunk."""
        scales = [torch.randn(self.members, 1).expand(-1, size) for size in chunks]
        with torch.no_grad():
            self.input_scale.copy_(torch.cat(scales, dim=1).flatten())


class MemberHead(MemberPart):
    """A linear layer of each member with a weight of its own; takes ``[members, batch, size]``."""

    own = ("weight", "bias")

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members * outputs).uniform_(-bound, bound))
        self.members = members

    def forward(self, hidden: Tensor) -> Tensor:
        """All members' outputs."""
        return torch.baddbmm(self.bias.view(self.members, 1, -1), hidden, self.weight)


def mean_of_members(outputs: Tensor, probabilities: bool) -> Tensor:
    """Return the mean over the members; of probabilities, its logarithm."""
    if not probabilities:
        return outputs.mean(0)
    return outputs.log_softmax(-1).logsumexp(0) - math.log(len(outputs))


def build(config: TabmConfig, shape: TabularShape) -> TabM:
    """The network of a section for tables of ``shape``; a run has settled its sizes before."""
    return TabM(
        shape,
        members=config.members,
        width=config.width or 128,
        layers=config.layers or 2,
        dropout=config.dropout or 0.0,
        embedding_size=config.embedding_size or 16,
    )
