"""Layers with a fused adapter compute the same as peft's own layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import peft
import pytest
import torch
from peft.tuners import lora
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from engine.adapters.fused_lora import fuse

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(6, 10), (2, 5, 6)),
    "transposed": (lambda: Conv1D(10, 6), (2, 5, 6)),
    "convolution": (lambda: nn.Conv2d(6, 10, 3, stride=2), (2, 6, 7, 7)),
}
OWN = {lora.Linear, lora.Conv2d}


def pair(
    kind: str, dtype: torch.dtype = torch.float64, **options: Any
) -> tuple[nn.Module, nn.Module, Tensor]:
    """Peft's network, the same one fused, and an input."""
    torch.manual_seed(0)
    layer, shape = LAYERS[kind]
    network = nn.Sequential(layer(), nn.Tanh())
    config = peft.LoraConfig(
        r=2, target_modules=["0"], fan_in_fan_out=kind == "transposed", **options
    )
    plain = peft.get_peft_model(network, config).to(dtype)
    for name, parameter in plain.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    fused = copy.deepcopy(plain)
    fuse(fused)
    assert not {type(module) for module in fused.modules()} & OWN
    return plain, fused, torch.randn(shape, dtype=dtype)


def learned(network: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, gradient of the input, gradients of the adapter."""
    torch.manual_seed(1)  # seeds the dropout
    x = x.clone().requires_grad_()
    result = network(x)
    result.float().square().sum().backward()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.requires_grad]
    return [result, x.grad, *gradients]  # type: ignore[list-item]


def distance(one: Tensor, other: Tensor) -> float:
    return float((one.detach().double() - other.detach().double()).norm())


@pytest.mark.parametrize("options", [{}, {"lora_dropout": 0.5}, {"use_rslora": True}])
@pytest.mark.parametrize("kind", LAYERS)
def test_outputs_and_gradients_are_those_of_peft(kind: str, options: dict[str, Any]) -> None:
    plain, fused, x = pair(kind, lora_alpha=7, **options)
    torch.testing.assert_close(learned(fused, x), learned(plain, x))


@pytest.mark.parametrize("kind", LAYERS)
def test_lower_precision_costs_no_more_than_it_costs_peft(kind: str) -> None:
    plain, fused, x = pair(kind, torch.float32)
    exact = learned(plain, x)
    for network in (plain, fused):
        network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = learned(fused, x), learned(plain, x)
    assert ours[0].dtype == theirs[0].dtype == torch.bfloat16
    torch.testing.assert_close(ours, theirs, atol=0.1, rtol=0.1)
    for our, their, true in zip(ours, theirs, exact, strict=True):
        assert distance(their, true) > 0
        assert distance(our, true) <= 2 * distance(their, true)


@pytest.mark.parametrize("kind", LAYERS)
def test_an_adapter_that_is_switched_off_or_merged_is_not_added(kind: str) -> None:
    plain, fused, x = pair(kind)
    base = plain.get_base_model()[0].base_layer  # type: ignore[operator]
    with fused.disable_adapter():  # type: ignore[operator]
        torch.testing.assert_close(fused(x), base(x).tanh())
    before = fused(x)
    fused.merge_adapter()  # type: ignore[operator]
    torch.testing.assert_close(fused(x), before)


def test_two_adapters_at_once_are_both_added() -> None:
    plain, fused, x = pair("linear")
    for network in (plain, fused):
        torch.manual_seed(2)
        other = peft.LoraConfig(r=3, target_modules=["0"], init_lora_weights=False)
        network.add_adapter("other", other)  # type: ignore[operator]
        network.base_model.set_adapter(["default", "other"])  # type: ignore[operator,union-attr]
    torch.testing.assert_close(fused(x), plain(x))


def test_other_kinds_of_adapters_stay_as_they_are() -> None:
    plain, fused, x = pair("linear", use_dora=True)
    torch.testing.assert_close(learned(fused, x), learned(plain, x))
