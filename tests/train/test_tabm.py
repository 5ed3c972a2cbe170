"""The network TabM: equal to separate networks, and the same after export and resume."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.config.models.tabm import TabmConfig
from engine.config.run_config import RunConfig
from engine.models.shapes import TabularShape
from engine.models.tables.piecewise import PiecewiseLinear
from engine.models.tables.tabm import TabM, build
from engine.service.estimate import estimate

EDGES = ((-1.0, 0.0, 2.0), (-2.0, -1.0, 1.0))
SHAPE = TabularShape(numeric=2, cardinalities=(3,), outputs=3, probabilities=True, edges=EDGES)


def network(shape: TabularShape = SHAPE, members: int = 4, dropout: float = 0.0) -> TabM:
    torch.manual_seed(3)
    made = TabM(shape, members, width=5, layers=2, dropout=dropout, embedding_size=2)
    for parameter in made.parameters():  # as after training: no part is at zero or one
        torch.nn.init.normal_(parameter)
    return made


def rows(count: int = 6) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {
        "numeric": torch.randn(count, 2, generator=generator),
        "categorical": torch.randint(0, 3, (count, 1), generator=generator),
    }


def by_hand(net: TabM, inputs: dict[str, Tensor], member: int) -> Tensor:
    """One member as a perceptron of its own: inputs and outputs of each layer are scaled."""
    assert net.numbers is not None
    numbers = net.numbers(inputs["numeric"])
    hidden = torch.cat([numbers, net.embeddings[0](inputs["categorical"][:, 0])], dim=1)
    for layer in net.layers:
        own = [part.view(4, -1)[member] for part in
               (layer.input_scale, layer.output_scale, layer.bias)]  # fmt: skip
        hidden = torch.relu((hidden * own[0]) @ layer.weight * own[1] + own[2])
    return hidden @ net.head.weight[member] + net.head.bias.view(4, -1)[member]


def test_each_member_is_a_perceptron_of_its_own_in_training() -> None:
    net, inputs = network().train(), rows()
    expected = torch.cat([by_hand(net, inputs, member) for member in range(4)])
    torch.testing.assert_close(net(inputs), expected)


def test_evaluation_averages_probabilities_of_classes_and_values_of_numbers() -> None:
    inputs = rows()
    net = network().eval()
    mean = torch.stack([by_hand(net, inputs, member).softmax(1) for member in range(4)]).mean(0)
    torch.testing.assert_close(net(inputs).softmax(1), mean)
    shape = TabularShape(2, (3,), 1, edges=EDGES)
    net = network(shape).eval()
    values = torch.stack([by_hand(net, inputs, member) for member in range(4)]).mean(0)
    torch.testing.assert_close(net(inputs), values)


@pytest.mark.parametrize("kept", [[2], [3, 0]])
def test_an_ensemble_of_kept_members_has_their_mean(kept: list[int]) -> None:
    net, inputs = network().eval(), rows()
    expected = torch.stack([by_hand(net, inputs, member).softmax(1) for member in kept]).mean(0)
    net.keep(kept)
    torch.testing.assert_close(net(inputs).softmax(1), expected)
    assert len(net.of_members(inputs)) == net.head.members == len(kept)


@pytest.mark.parametrize("kept", [[], [4], [-1, 0]])
def test_members_that_an_ensemble_has_not_cannot_be_kept(kept: list[int]) -> None:
    with pytest.raises(ValueError, match="ensemble of 4"):
        network().keep(kept)


def test_members_of_a_new_network_differ() -> None:
    torch.manual_seed(0)
    net = build(TabmConfig(members=3, width=8, layers=1, dropout=0.0), SHAPE).train()
    first, second, third = net(rows()).split(6)
    assert not torch.allclose(first, second)
    assert not torch.allclose(second, third)


def test_dropout_drops_the_same_units_in_all_members_and_keeps_the_mean() -> None:
    net = network(dropout=0.25).train()
    torch.manual_seed(0)
    dropped = net._dropped(torch.ones(4, 2000, 5))
    assert torch.equal(dropped[0], dropped[3])
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.03)
    assert torch.equal(network(dropout=0.25).eval()._dropped(dropped), dropped)


def test_a_number_is_encoded_by_its_place_in_each_bin() -> None:
    embedding = PiecewiseLinear(((0.0, 1.0, 3.0), (5.0,)), size=1)
    with torch.no_grad():
        embedding.weight.copy_(torch.tensor([[[10.0], [100.0]], [[7.0], [7.0]]]))
        embedding.slope.zero_()
        embedding.bias.zero_()
    numbers = torch.tensor([[0.5, 5.0], [2.0, 6.0], [-1.0, 0.0], [5.0, 0.0]])
    # Half of the first bin; all of it and half of the second; outside, the line continues.
    expected = torch.tensor([[5.0, 0.0], [60.0, 0.0], [-10.0, 0.0], [210.0, 0.0]])
    torch.testing.assert_close(embedding(numbers), expected)


def test_the_logarithm_of_the_mean_has_probabilities_that_sum_to_one() -> None:
    outputs = network().eval()(rows())
    assert outputs.exp().sum(1).tolist() == pytest.approx([1.0] * 6)
    wrong = F.cross_entropy(outputs, torch.zeros(6, dtype=torch.int64))
    assert math.isfinite(wrong.item())


def test_memory_is_estimated_with_the_sizes_that_go_by_the_data(home: Path) -> None:
    values = {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"},
        "model": {"kind": "tabm"},
    }
    found = estimate(RunConfig.parse(values))
    assert found.memory.total > 0
    assert found.steps == found.steps_per_epoch * 24
    assert found.settled[:2] == ("train.epochs=24", "train.batch_size=32")
