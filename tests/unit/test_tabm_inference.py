"""Predictions of many rows in fewer operations: the same as those of the network."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from engine.models.shapes import TabularShape
from engine.models.tables.bin_search import BinSearch
from engine.models.tables.tabm import TabM
from engine.models.tables.tabm_inference import (
    LookedUp,
    Multiplied,
    TabmInference,
    in_fewer_operations,
)

NARROW = tuple(i / 2000 for i in range(49))
EDGES = ((-1.0, 0.0, 2.0), (), (5.0,), (-3.0, 3.0), NARROW)


def network(shape: TabularShape, members: int = 3) -> TabM:
    torch.manual_seed(2)
    made = TabM(shape, members, width=6, layers=2, embedding_size=4)
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return made.eval()


def rows(shape: TabularShape, count: int = 400) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(4)
    codes = [torch.randint(0, size, (count,), generator=generator) for size in shape.cardinalities]
    numbers = 3 * torch.randn(count, shape.numeric, generator=generator)
    for column, edges in enumerate(shape.edges):
        numbers[: len(edges), column] = torch.tensor(edges)
    numbers[-2:] = torch.tensor([[-10.0], [10.0]])
    empty = torch.zeros(count, 0, dtype=torch.int64)
    return {"numeric": numbers, "categorical": torch.stack(codes, 1) if codes else empty}


SHAPES = {
    "numbers and categories": TabularShape(5, (3, 7), 2, probabilities=True, edges=EDGES),
    "numbers": TabularShape(5, (), 1, edges=EDGES),
    "categories": TabularShape(0, (4, 9), 3, probabilities=True),
    "numbers without bins": TabularShape(2, (5,), 1),
}


def agree(shape: TabularShape, net: TabM, first: LookedUp | Multiplied) -> None:
    faster, inputs = TabmInference(net, first).eval(), rows(shape, 1100)
    with torch.inference_mode():
        torch.testing.assert_close(faster(inputs), net(inputs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("first", [LookedUp, Multiplied])
@torch.inference_mode()
def test_outputs_are_those_of_the_network(
    name: str, first: type[LookedUp] | type[Multiplied]
) -> None:
    net = network(SHAPES[name])
    agree(SHAPES[name], net, first(net))


NARROW_BINS = TabularShape(1, (), 1, edges=((0.0, 1e-5, 1.0),))


@pytest.mark.parametrize(
    ("shape", "members", "first"),
    [
        (SHAPES["numbers"], 3, LookedUp),
        (NARROW_BINS, 3, Multiplied),
        (TabularShape(0, (60_000,), 1), 8, Multiplied),
    ],
)
def test_bins_too_narrow_and_tables_too_large_are_not_looked_up(
    shape: TabularShape, members: int, first: type
) -> None:
    net = network(shape, members)
    faster = in_fewer_operations(net)
    assert isinstance(faster, TabmInference)
    assert isinstance(faster.first, first)
    with torch.inference_mode():
        inputs = rows(shape)
        torch.testing.assert_close(faster(inputs), net(inputs), rtol=1e-4, atol=1e-4)


def test_other_networks_and_those_that_train_stay_as_they_are() -> None:
    net = network(SHAPES["numbers"]).train()
    assert in_fewer_operations(net) is net
    other = nn.Linear(2, 1)
    assert in_fewer_operations(other) is other


@pytest.mark.parametrize("close", [2, 3, 6])
def test_the_bin_of_a_number_is_that_of_bisection(close: int) -> None:
    generator = torch.Generator().manual_seed(0)
    edges = torch.randn(3, 20, generator=generator).sort(dim=1).values
    edges[1, 5 : 5 + close] = edges[1, 5] + 1e-5 * torch.arange(close)
    edges[2, 5:] = torch.inf
    edges = edges.sort(dim=1).values
    numbers = torch.cat([3 * torch.randn(3, 500, generator=generator), edges[:, :12]], 1)
    numbers = numbers.clamp(-10, 10)
    expected = torch.searchsorted(edges, numbers, right=True)
    assert torch.equal(BinSearch(edges)(numbers.t()).t().long(), expected)


def test_numbers_without_edges_are_in_the_first_bin() -> None:
    assert BinSearch(torch.zeros(2, 0))(torch.ones(4, 2)).tolist() == [[0, 0]] * 4
