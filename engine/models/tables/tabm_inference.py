"""TabM for the prediction of many rows on a CPU: the same outputs in fewer operations.

Nothing stands between the embeddings and the first layer but sums, so the product of each bin and
each category with the first layers of all members is computed once and looked up afterwards. Where
that table would be too large, the weights of all members are scaled once and multiplied at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.models.tables.bin_search import BinSearch
from engine.models.tables.piecewise import FAR, PiecewiseLinear
from engine.models.tables.tabm import MemberLinear, TabM, mean_of_members

_BYTES = 1 << 23
"""Largest table that is used: beyond the caches of a CPU, products are as fast as looking up."""
_FARTHEST = 20.0
"""Twice as far as any standardised number is from the mean."""


def in_fewer_operations(network: nn.Module) -> nn.Module:
    """Return a network for inference with the same outputs, or ``network`` where there is none."""
    if not isinstance(network, TabM) or not network.layers or network.training:
        return network
    with torch.inference_mode():
        small = _table_bytes(network) <= _BYTES and _within_bins(network.numbers)
        return TabmInference(network, LookedUp(network) if small else Multiplied(network))


class TabmInference(nn.Module):
    """Inputs and outputs of :class:`~engine.models.tables.tabm.TabM` in evaluation."""

    def __init__(self, network: TabM, first: LookedUp | Multiplied) -> None:
        """``first`` computes the first layer of all members of ``network``."""
        super().__init__()
        self.first = first
        others = _layers(network)[1:]
        self._members = network.head.members
        self._layers = [
            (layer.weights(), layer.bias.view(self._members, 1, -1)) for layer in others
        ]  # fmt: skip
        head = network.head
        # Products with few columns are slow, those with few rows are not.
        self._head = head.weight.transpose(1, 2).contiguous()
        self._head_bias = head.bias.view(self._members, -1, 1)
        self._probabilities = network.probabilities

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits, or values."""
        rows = self.first.rows
        pieces = zip(
            *(torch.split(inputs[n], rows) for n in ("numeric", "categorical")), strict=True
        )
        return torch.cat([self._piece(numbers, codes) for numbers, codes in pieces])

    def _piece(self, numbers: Tensor, codes: Tensor) -> Tensor:
        hidden = self.first(numbers, codes)
        hidden = hidden.view(len(hidden), self._members, -1).transpose(0, 1)
        for weight, bias in self._layers:
            hidden = torch.baddbmm(bias, hidden, weight).relu_()
        outputs = torch.baddbmm(self._head_bias, self._head, hidden.transpose(1, 2))
        return mean_of_members(outputs.transpose(1, 2).float(), self._probabilities)


class Multiplied(nn.Module):
    """The first layer of all members, ``[batch, members · width]``, as one product."""

    rows = 512
    """Rows whose outputs stay in the caches of a core."""

    def __init__(self, network: TabM) -> None:
        super().__init__()
        first = _layers(network)[0]
        self._numbers, self._tables = network.numbers, _categories(network)
        self._weights = first.weights().transpose(0, 1).flatten(1).contiguous()
        self._bias = first.bias

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Outputs of the activation."""
        parts = [] if self._numbers is None else [self._numbers(numbers)]
        parts += [functional.embedding(codes[:, i], table) for i, table in enumerate(self._tables)]
        return torch.addmm(self._bias, torch.cat(parts, dim=1), self._weights).relu_()


class LookedUp(nn.Module):
    """The first layer of all members, ``[batch, members · width]``, as a sum of rows of a table."""

    rows = 1024

    def __init__(self, network: TabM) -> None:
        super().__init__()
        numbers = network.numbers
        self._search = None if numbers is None else BinSearch(_inner_edges(numbers))
        self._low, self._scale = torch.zeros(0), torch.ones(0)
        if numbers is not None:
            self._low = numbers.low.flatten().contiguous()
            self._scale = numbers.scale.where(numbers.scale > 0, 1).flatten().contiguous()
        self._table, self._starts = _looked_up(network, _layers(network)[0])

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Outputs of the activation."""
        rows, weights = self._rows_of(numbers, codes)
        return functional.embedding_bag(
            rows, self._table, mode="sum", per_sample_weights=weights
        ).relu_()

    def _rows_of(self, numbers: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows of the table and their weights: two for a number, one for a category."""
        count, starts = numbers.shape[1], self._starts
        rows = torch.empty(len(codes), 2 * count + codes.shape[1], dtype=torch.int32)
        weights = torch.ones(rows.shape)
        if self._search is not None:
            found = self._search(numbers).add_(starts[:count])
            flat = found.flatten()
            low, scale = (part.index_select(0, flat) for part in (self._low, self._scale))
            place = (numbers.flatten() - low).mul_(scale)
            weights[:, count : 2 * count] = place.view_as(numbers)
            rows[:, :count] = found
            torch.add(found, len(self._low), out=rows[:, count : 2 * count])
        torch.add(codes, starts[count:], out=rows[:, 2 * count :])
        return rows, weights


def _looked_up(network: TabM, first: MemberLinear) -> tuple[Tensor, Tensor]:
    """Return the table ``[rows, members · width]``, and the first row of each column.

    The rows of values at the lower edges of all bins come first, then those of slopes in the bins,
    then those of categories.
    """
    numbers = network.numbers
    weights = first.weights()
    parts: list[Tensor] = []
    starts: list[int] = []
    begin = 0
    if numbers is not None:
        values, slopes = _of_bins(numbers)
        size = values.shape[2]
        begin = len(values) * size
        own = weights[:, :begin].reshape(first.members, len(values), size, -1)
        parts = [torch.einsum("nbs,mnsw->nbmw", part, own) for part in (values, slopes)]
        parts = [part.flatten(0, 1).flatten(1) for part in parts]
        starts = [number * values.shape[1] for number in range(len(values))]
    for table in _categories(network):
        end = begin + table.shape[1]
        starts.append(sum(map(len, parts)))
        parts.append(torch.einsum("cs,msw->cmw", table, weights[:, begin:end]).flatten(1))
        begin = end
    # Each row of inputs looks up one row of the first part, which therefore has the bias.
    fixed = parts[0][: numbers.low.shape[1]] if numbers is not None else parts[0]
    fixed += first.bias
    return torch.cat(parts), torch.tensor(starts, dtype=torch.int32)


def _of_bins(numbers: PiecewiseLinear) -> tuple[Tensor, Tensor]:
    """Return the embedding at the lower edge of each bin, and its slope within the bin.

    Both are ``[numbers, bins, size]``; a number without bins has one, which begins at 0.
    """
    count, size = numbers.slope.shape
    before = numbers.weight.cumsum(1) - numbers.weight
    inverse = numbers.scale.where(numbers.scale > 0, 1).reciprocal()
    values = before + numbers.slope[:, None] * numbers.low[..., None]
    values += numbers.bias.view(count, 1, size)
    inside = numbers.weight.where(numbers.scale[..., None] > 0, 0)
    return values, inside + numbers.slope[:, None] * inverse[..., None]


def _inner_edges(numbers: PiecewiseLinear) -> Tensor:
    """Return the edges between bins ``[numbers, bins - 1]``, infinite where there are fewer."""
    return numbers.low[:, 1:].where(numbers.scale[:, 1:] > 0, torch.inf)


def _within_bins(numbers: PiecewiseLinear | None) -> bool:
    """Return whether no standardised number is beyond the bounds of the place in a bin."""
    return numbers is None or float(numbers.scale.max()) * _FARTHEST <= FAR


def _table_bytes(network: TabM) -> int:
    rows = sum(map(len, _categories(network)))
    if network.numbers is not None:
        rows += 2 * network.numbers.low.numel()
    return 4 * rows * len(_layers(network)[0].bias)


def _layers(network: TabM) -> list[MemberLinear]:
    return [layer for layer in network.layers if isinstance(layer, MemberLinear)]


def _categories(network: TabM) -> list[Tensor]:
    """Return the embeddings of the categories of each column."""
    return [table.weight for table in network.embeddings if isinstance(table, nn.Embedding)]
