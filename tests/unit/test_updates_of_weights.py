"""Parts of an update: clipped gradients, averaged weights, losses that are not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.training.checkpoints.state import Position, TrainingState, load_optimizer
from engine.training.loss_meter import Meter
from engine.training.memory.out_of_memory import in_pieces, least_rows
from engine.training.optimization.clipping import clip_gradients
from engine.training.optimization.non_finite import Guard
from engine.training.weight_average import averaged, begin_average, update_average

CPU = torch.device("cpu")


def network_of(norm: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4) if norm else nn.ReLU(), nn.Linear(4, 2))


@pytest.mark.parametrize("share", [0.01, 0.7, 1.0, 1.5, 1e6])
def test_gradients_are_clipped_as_torch_does_to_the_last_bit(share: float) -> None:
    ours, theirs = network_of(), network_of()
    inputs = torch.randn(5, 3) * 10
    for network in (ours, theirs):
        network(inputs).square().sum().backward()
    gradients = [weight.grad for weight in ours.parameters() if weight.grad is not None]
    limit = share * nn.utils.get_total_norm(gradients).item()
    norm = clip_gradients(list(ours.parameters()), limit)
    expected = nn.utils.clip_grad_norm_(theirs.parameters(), limit)
    assert norm.item() == pytest.approx(expected.item(), rel=1e-6)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)  # type: ignore[arg-type]


def test_parameters_without_a_gradient_are_passed_over() -> None:
    network = network_of()
    network[0](torch.ones(1, 3)).sum().backward()
    norm = clip_gradients(list(network.parameters()), 0.5)
    assert norm.item() == pytest.approx(math.sqrt(4 * 3 + 4))
    clipped = torch.cat([w.grad.flatten() for w in network[0].parameters() if w.grad is not None])
    assert clipped.norm().item() == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_the_average_of_the_weights_follows_its_formula(decay: float) -> None:
    network = nn.Linear(2, 1)
    state = TrainingState(network, torch.optim.SGD(network.parameters(), lr=0.1))
    begin_average(state, decay)
    expected = network.weight.detach().double().numpy().copy()
    for step in range(1, 30):
        state.position.step = step
        nn.init.constant_(network.weight, float(step % 7))
        update_average(state, decay)
        own = min(decay, (1 + step) / (10 + step))
        expected = own * expected + (1 - own) * (step % 7)
    assert state.average is not None
    assert state.average["weight"].numpy() == pytest.approx(expected, rel=1e-5)
    kept = network.weight.detach().clone()
    with averaged(state):
        assert network.weight.detach().numpy() == pytest.approx(expected, rel=1e-5)
    assert torch.equal(network.weight, kept)


def test_weights_come_back_after_an_error_and_without_an_average_nothing_changes() -> None:
    network = network_of(norm=True)
    state = TrainingState(network, torch.optim.SGD(network.parameters(), lr=0.1))
    begin_average(state, 0.0)
    assert state.average is None
    with averaged(state):
        pass
    begin_average(state, 0.9)
    assert state.average is not None
    assert "1.running_mean" in state.average  # statistics are averaged, counters are not
    assert "1.num_batches_tracked" not in state.average
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state.average["0.weight"].fill_(9)
    with pytest.raises(IndexError), averaged(state):
        network[int(network[0].weight[0, 0])]  # the ninth layer, which there is not
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("bad", [math.nan, math.inf, None])
@pytest.mark.parametrize("where", ["loss", "norm"])
def test_an_update_that_is_not_finite_changes_neither_weights_nor_statistics(
    on_device: bool, bad: float | None, where: str
) -> None:
    network = network_of(norm=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, fused=True)
    guard = Guard(network, optimizer, CPU, on_device)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    guard.keep()
    loss = network(torch.randn(6, 3)).square().sum()
    loss.backward()
    value = torch.tensor(1.0 if bad is None else bad)
    numbers = [value] if where == "loss" else [loss.detach()]
    guard.step(numbers, value if where == "norm" else None)
    changed = {
        name for name, own in network.state_dict().items() if not torch.equal(own, before[name])
    } - {"1.num_batches_tracked"}
    if bad is None:
        assert changed == set(before) - {"1.num_batches_tracked"}
    else:
        assert changed == set()


def test_a_loaded_optimizer_keeps_the_scales_of_its_own_groups() -> None:
    network = network_of()
    groups = [{"params": list(network.parameters()), "lr_scale": 0.5, "weight_decay": 0.1}]
    saved = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    network(torch.randn(6, 3)).square().sum().backward()
    saved.step()
    groups = [{"params": list(network.parameters()), "lr_scale": 3.0, "weight_decay": 0.2}]
    own = torch.optim.SGD(groups, lr=0.2, momentum=0.8)
    load_optimizer(own, saved.state_dict())
    (group,) = own.param_groups
    assert (group["lr_scale"], group["weight_decay"]) == (3.0, 0.2)
    assert (group["lr"], group["momentum"]) == (0.1, 0.9)
    weight = network[0].weight
    assert torch.equal(own.state[weight]["momentum_buffer"], saved.state[weight]["momentum_buffer"])


def test_what_a_forward_pass_changed_is_undone() -> None:
    network = network_of(norm=True)
    guard = Guard(network, torch.optim.SGD(network.parameters(), lr=0.1), CPU)
    kept = network[1].running_mean.clone()
    guard.keep()
    network(torch.randn(6, 3))
    assert not torch.equal(network[1].running_mean, kept)
    guard.undo()
    assert torch.equal(network[1].running_mean, kept)


UPDATE = st.lists(
    st.tuples(st.sampled_from([1.0, 2.5, math.nan, math.inf]), st.integers(1, 5)),
    min_size=1, max_size=3,
)  # fmt: skip


@given(st.lists(UPDATE, min_size=1, max_size=8), st.sampled_from([1.0, math.nan, None]))
@settings(max_examples=60, deadline=None)
def test_losses_are_weighted_means_of_the_finite_updates(
    updates: list[list[tuple[float, int]]], last_norm: float | None
) -> None:
    position = Position()
    meter = Meter(position)
    for number, parts in enumerate(updates):
        last = number == len(updates) - 1
        norm = (last_norm if last else 1.0) if last_norm is not None else None
        meter.add(
            [torch.tensor(loss) for loss, _ in parts],
            [float(weight) for _, weight in parts],
            None if norm is None else torch.tensor(norm),
        )
    good = [
        all(math.isfinite(loss) for loss, _ in parts)
        and not (number == len(updates) - 1 and last_norm is not None and math.isnan(last_norm))
        for number, parts in enumerate(updates)
    ]
    bad, longest = meter.fetch()
    assert bad == good.count(False)
    streaks = "".join("." if own else "x" for own in good).split(".")
    assert longest == max(map(len, streaks))
    assert position.bad_updates == len(streaks[-1])
    counted = [part for parts, own in zip(updates, good, strict=True) if own for part in parts]
    weight = sum(weight for _, weight in counted)
    total = sum(loss * weight for loss, weight in counted)
    assert (position.loss_sum, position.loss_weight) == pytest.approx((total, weight))
    reading = meter.read()
    assert reading.loss == (pytest.approx(total / weight) if weight else None)
    assert meter.read().loss is None  # each update is read once


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 6), st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_pieces_of_batches_have_all_rows_in_order_and_enough_of_them(
    sizes: list[int], pieces: int, least: int
) -> None:
    rows = torch.arange(sum(sizes)).split(sizes)
    found = in_pieces(rows, pieces, least)
    assert torch.cat(found).tolist() == list(range(sum(sizes)))
    own = iter(found)
    for size in sizes:
        count = max(1, min(pieces, size // least))
        lengths = [len(next(own)) for _ in range(count)]
        assert sum(lengths) == size
        assert max(lengths) - min(lengths) <= 1
        assert min(lengths) >= min(least, size)
    assert next(own, None) is None


def test_batch_norm_needs_two_rows() -> None:
    assert least_rows(network_of(norm=True)) == 2
    assert least_rows(network_of()) == 1


def test_micro_batches_add_up_to_the_gradient_of_the_whole_batch() -> None:
    network = network_of()
    inputs, targets = torch.randn(7, 3), torch.randn(7, 2)
    loss = nn.functional.mse_loss
    loss(network(inputs), targets).backward()
    whole = [weight.grad.clone() for weight in network.parameters()]  # type: ignore[union-attr]
    network.zero_grad()
    for rows in in_pieces([torch.arange(7)], 3):
        (loss(network(inputs[rows]), targets[rows]) * len(rows) / 7).backward()
    for one, weight in zip(whole, network.parameters(), strict=True):
        assert np.allclose(one, weight.grad, atol=1e-6)  # type: ignore[arg-type]
