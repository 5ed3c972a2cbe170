"""The fused AdamW makes torch's updates, to the last bit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from engine.config.train import TrainConfig
from engine.torch_private import AdamW
from engine.training.optimization.fused_adamw import FusedAdamW
from engine.training.optimization.optimizer import build_optimizer, trainable_groups

CPU = torch.device("cpu")
Optimizer = torch.optim.Optimizer
Disturb = Callable[[Optimizer, list[nn.Parameter], int], None]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 3))


def theirs(made: nn.Module) -> Optimizer:
    [group] = trainable_groups(made)
    parts = [
        {"params": [p for p in group["params"] if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in group["params"] if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(parts, lr=0.1, betas=(0.8, 0.99), fused=True)


def ours(made: nn.Module) -> Optimizer:
    config = TrainConfig(learning_rate=0.1, weight_decay=0.1, adam_beta1=0.8, adam_beta2=0.99)
    optimizer = build_optimizer(trainable_groups(made), config, CPU)
    assert isinstance(optimizer, FusedAdamW)
    return optimizer


def updated(build: Callable[[nn.Module], Optimizer], disturb: Disturb) -> Iterator[Tensor]:
    """Weights and state after some updates, each with another learning rate."""
    made = network()
    optimizer = build(made)
    parameters = list(made.parameters())
    generator = torch.Generator().manual_seed(1)
    for number in range(6):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        for group in optimizer.param_groups:
            group["lr"] = 0.1 / (1 + number)
        disturb(optimizer, parameters, number)
        optimizer.step()
        optimizer.zero_grad()
    yield from parameters
    for parameter in parameters:
        yield from optimizer.state[parameter].values()


def nothing(optimizer: Optimizer, parameters: list[nn.Parameter], number: int) -> None:
    pass


def load(optimizer: Optimizer, parameters: list[nn.Parameter], number: int) -> None:
    if number == 3:
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def miss(optimizer: Optimizer, parameters: list[nn.Parameter], number: int) -> None:
    if number in (0, 1, 4):
        parameters[1].grad = None


def overflow(optimizer: Optimizer, parameters: list[nn.Parameter], number: int) -> None:
    optimizer.found_inf = torch.tensor(float(number == 2))  # type: ignore[attr-defined]
    optimizer.grad_scale = None  # type: ignore[attr-defined]


@pytest.mark.parametrize("disturb", [nothing, load, miss, overflow])
def test_updates_are_those_of_torch(disturb: Disturb) -> None:
    for one, other in zip(updated(ours, disturb), updated(theirs, disturb), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_are_dropped_or_made_zero(set_to_none: bool) -> None:
    made = network()
    for parameter in made.parameters():
        parameter.grad = torch.ones_like(parameter)
    ours(made).zero_grad(set_to_none)
    gradients = [parameter.grad for parameter in made.parameters()]
    assert all((g is None) if set_to_none else not g.any() for g in gradients)  # type: ignore[union-attr]


def test_after_the_first_update_torch_collects_nothing_anew() -> None:
    with patch.object(torch.optim.AdamW, "_init_group", side_effect=AssertionError):
        made = network()
        optimizer = ours(made)
        for parameter in made.parameters():
            parameter.grad = torch.ones_like(parameter)
        with pytest.raises(AssertionError):
            optimizer.step()
    optimizer.step()
    with patch.object(torch.optim.AdamW, "_init_group", side_effect=AssertionError):
        optimizer.step()


def test_elsewhere_than_on_the_cpu_and_for_other_kernels_it_is_torchs_own() -> None:
    groups = trainable_groups(network())
    for device, kernel in ((torch.device("cuda"), "auto"), (CPU, "foreach"), (CPU, "forloop")):
        made = build_optimizer(groups, TrainConfig(), device, kernel)  # type: ignore[arg-type]
        assert type(made) is AdamW
