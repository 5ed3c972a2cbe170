"""Linear layers by oneDNN: the same results, from code for a few shapes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from engine.hardware.device import Compute
from engine.models.onednn_linear import OneDnnLinear, _blocks, onednn_is_faster, use_onednn
from engine.torch_private import cpu_multiplies_bfloat16

FLOAT32 = Compute(torch.device("cpu"), torch.float32, 1)
exact = pytest.mark.skipif(
    cpu_multiplies_bfloat16() and not onednn_is_faster(), reason="oneDNN would round to bfloat16"
)


def by_onednn(layer: nn.Linear) -> nn.Linear:
    copied = copy.deepcopy(layer)
    copied.__class__ = OneDnnLinear
    return copied


def results(layer: nn.Linear, rows: torch.Tensor) -> list[torch.Tensor]:
    rows = rows.clone().requires_grad_()
    output = layer(rows)
    output.square().sum().backward()
    return [output.detach(), rows.grad, *(weight.grad for weight in layer.parameters())]


@exact
@pytest.mark.parametrize("rows", [1, 63, 64, 389, 1100])
@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients_are_those_of_torch(rows: int, bias: bool) -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Linear(96, 80, bias=bias), torch.randn(1, rows, 96)
    for ours, theirs in zip(results(by_onednn(layer), inputs), results(layer, inputs), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5 * float(theirs.abs().max()))


@exact
def test_frozen_weights_get_no_gradient_and_pass_it_on() -> None:
    layer = by_onednn(nn.Linear(64, 64)).requires_grad_(False)
    rows = torch.randn(128, 64, requires_grad=True)
    layer(rows).sum().backward()
    assert layer.weight.grad is None
    assert torch.allclose(rows.grad[0], layer.weight.sum(0), atol=1e-5)


def test_products_of_torch_are_left_as_they_are_set() -> None:
    torch.set_float32_matmul_precision("highest")
    by_onednn(nn.Linear(64, 64))(torch.randn(128, 64))
    assert torch.get_float32_matmul_precision() == "highest"


def test_any_number_of_rows_makes_few_shapes() -> None:
    sizes = {end - begin for rows in range(1, 4096) for begin, end in _blocks(rows)}
    assert len(sizes) < 25
    for rows in range(1, 4096):
        blocks = list(_blocks(rows))
        assert sum(end - begin for begin, end in blocks) > rows - 64
        ends = [0, *(end for _, end in blocks)]
        assert [begin for begin, _ in blocks] == ends[:-1]


@pytest.mark.skipif(not onednn_is_faster(), reason="MKL is as fast on this CPU")
def test_layers_keep_their_names_and_small_or_derived_ones_their_class() -> None:
    class Derived(nn.Linear):
        """Computes in its own way."""

    network = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 2), Derived(64, 64))
    names = list(network.state_dict())
    use_onednn(network, FLOAT32)
    assert [type(layer) for layer in network] == [OneDnnLinear, nn.Linear, Derived]
    assert list(network.state_dict()) == names


def test_networks_in_bfloat16_are_left_alone() -> None:
    network = nn.Sequential(nn.Linear(64, 64))
    use_onednn(network, Compute(torch.device("cpu"), torch.bfloat16, 1))
    assert type(network[0]) is nn.Linear
